"""The field in which a message is written, and what was typed but not stored yet."""
