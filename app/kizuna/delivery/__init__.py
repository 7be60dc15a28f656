"""Once and in order: the outbox and its storage, the sequence of a channel. Knows nothing of connections."""
