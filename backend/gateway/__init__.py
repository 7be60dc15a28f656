"""What carries frames to connections: API Gateway, or :mod:`backend.gateway.local`, which behaves like it."""
