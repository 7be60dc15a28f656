"""The message field, and the strip for unsent messages."""
