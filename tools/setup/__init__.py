"""Sets a machine up: each step, browsers, the stand-ins for AWS."""
