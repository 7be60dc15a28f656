"""The handlers of frames, the log of messages, connections, presence."""
