"""The restore of a backup: ``python -m backend.restore BACKUP DATA``, while no server uses DATA.

DATA becomes what BACKUP holds, in one transaction, and what it held before is lost. Every room begins a new epoch:
pages that have more than the backup drop it and load the room again, instead of taking new messages for old ones with
the same numbers. Records of connections are dropped.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from backend.messaging.connections import CONNECTION_PREFIX, Connections, connection_id_of
from backend.messaging.message_log import ROOM_PREFIX, Rooms, room_of_head
from backend.store import snapshot
from backend.store.base import StoreError
from backend.store.sqlite import Lock, SqliteStore, make_file


def restore(backup: Path, data: Path) -> int:
    """Make ``data`` hold what ``backup`` holds, under new epochs; return the number of rooms.

    Raises StoreUnavailable if a server uses ``data``, or if one of them is a file of something else.
    """
    snapshot.check(backup)
    make_file(data)
    owner = Lock(data)
    try:
        # Everything is prepared in another file, so that the old messages never show under the old epochs.
        with snapshot.folder_beside(data) as folder:
            draft = folder / data.name
            snapshot.copy(backup, draft)
            rooms = _begin_epochs(draft)
            snapshot.copy(draft, data)
    finally:
        owner.release()
    return rooms


def main(arguments: Sequence[str] | None = None) -> int:
    """Restore a backup. Returns the exit code: 0, or 1 after one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m backend.restore", description="Bring a backup back.")
    parser.add_argument("backup", type=Path, metavar="BACKUP", help="what backend.local.backup has made")
    parser.add_argument("data", type=Path, metavar="DATA", help="the server's SQLite file; it is overwritten")
    chosen = parser.parse_args(arguments)
    try:
        rooms = restore(chosen.backup, chosen.data)
    except StoreError as error:
        print(f"Kizuna cannot restore: {error}", file=sys.stderr)
        return 1
    print(f"Restored {chosen.data} from {chosen.backup}; rooms that begin a new epoch: {rooms}")
    return 0


def _begin_epochs(path: Path) -> int:
    store = SqliteStore(path)
    try:
        connections = Connections(store, clock=time.time)
        connections.purge(map(connection_id_of, store.partitions(CONNECTION_PREFIX)))
        heads = filter(None, map(room_of_head, store.partitions(ROOM_PREFIX)))
        return Rooms(store, clock=time.time, new_id=lambda: uuid.uuid4().hex).begin_epochs(heads)
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main())
