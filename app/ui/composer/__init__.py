"""The message field, its send queue, and the strip for unsent messages."""
