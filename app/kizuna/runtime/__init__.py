"""Carries commands out: sockets, handlers, tasks; keeps the journal and the statistics."""
