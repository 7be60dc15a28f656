"""What a frame means: handlers, the log of messages, connections, presence."""
