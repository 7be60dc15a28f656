"""The delivery of frames to connections, and the removal of those that are gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from backend.gateway.base import Delivery, Gateway
from backend.messaging.connections import Connections, Departure
from chat.protocol import DownFrame, encode

log = logging.getLogger(__name__)

# Deleting the records of a gone connection is one or two transactions of some 10 ms on AWS: 300 gone ones take
# a fifth of a second on so many threads.
CLEANUP_THREADS = 16


class Dispatcher:
    """A poster of frames that removes the records of connections that are gone."""

    def __init__(self, gateway: Gateway, connections: Connections) -> None:
        self._gateway = gateway
        self._connections = connections
        self._cleaners = ThreadPoolExecutor(CLEANUP_THREADS, thread_name_prefix="cleanup")

    def post(self, connection_id: str, frame: DownFrame) -> Delivery:
        """Post to one connection."""
        return self._gateway.post_many([connection_id], encode(frame)).get(connection_id, Delivery.FAILED)

    def post_many(self, connection_ids: Iterable[str], frame: DownFrame) -> None:
        """Post to some connections, without checking the results."""
        self._gateway.post_many(connection_ids, encode(frame))

    def post_to_room(
        self, room_id: str, frame: DownFrame, *, sender: str, to_sender: bool, max_members: int | None = None
    ) -> list[Departure]:
        """Post to everybody in a room, to the sender's own connection only if asked; return the departures of those
        that were gone.

        Nothing is posted if the room has over ``max_members`` connections. The members at the beginning get it: a later
        one reads the log. A delivery that failed is not tried again: the page notices the gap by ``seq`` and
        ``pong.heads``.
        """
        members = self._connections.members(room_id, limit=None if max_members is None else max_members + 1)
        if max_members is not None and len(members) > max_members:
            return []
        if not to_sender:
            members = [member for member in members if member != sender]
        results = self._gateway.post_many(members, encode(frame))
        failed = sum(delivery is Delivery.FAILED for delivery in results.values())
        if failed:
            log.warning(
                "a %s frame reached %d of %d connections; %d failed",
                frame.type,
                len(results) - failed,
                len(results),
                failed,
            )
        # If the sender is gone by now, its $disconnect removes it.
        return self._forget(
            member for member, delivery in results.items() if delivery is Delivery.GONE and member != sender
        )

    def close_connection(self, connection_id: str) -> None:
        """Close a connection after what was posted to it."""
        self._gateway.close(connection_id)

    def close(self) -> None:
        """Release the threads. Running removals finish."""
        self._cleaners.shutdown(wait=False, cancel_futures=True)

    def _forget(self, gone: Iterable[str]) -> list[Departure]:
        """Delete the records of gone connections, in parallel. After a failure the next 410 tries again."""
        removals = {
            connection_id: self._cleaners.submit(self._connections.remove_gone, connection_id)
            for connection_id in gone
        }
        departures = []
        for connection_id, removal in removals.items():
            if (error := removal.exception()) is not None:
                log.error("could not remove gone connection %s", connection_id, exc_info=error)
            elif (departure := removal.result()) is not None:
                log.info("gone connection %s: removed", connection_id)
                departures.append(departure)
            else:
                log.info("gone connection %s: pending and kept, or removed already", connection_id)
        return departures
