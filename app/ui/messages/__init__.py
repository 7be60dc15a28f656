"""The list of messages: which rows, what changes, where the reader is."""
