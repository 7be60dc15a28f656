"""The runtime: carries commands out with sockets, handlers and tasks; keeps the journal and the statistics."""
