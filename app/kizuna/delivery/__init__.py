"""Delivery once and in order: the outbox, its storage, and the sequence of a channel. Independent of connections."""
