"""The commands ``ban``, ``unban`` and ``banned`` of ``python -m backend.admin``.

They work beside a running server. The records of a banned person's connections are deleted, so they get no more
broadcasts; their next frame is answered by ``bye``, and they are not admitted again. The rooms get no departure: the
command cannot reach their connections. The next arrival or departure brings the right count.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

from backend.auth.bans import Ban, Bans
from backend.messaging.connections import Connections
from backend.store.base import Store
from chat.protocol import InvalidField, check_id, check_text

MAX_REASON_BYTES = 1024


def accept_person(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a person."""
    parser.add_argument("user_id", type=_user_id, metavar="UID", help="a user id, as the log has it")


def accept_ban(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``ban``."""
    accept_person(parser)
    parser.add_argument("--reason", type=_reason, default="", help="a note that only `banned` shows")


def ban(store: Store, chosen: argparse.Namespace) -> Iterator[str]:
    """Ban a person, and delete the records of their connections."""
    # The ban first: from then on no new connection is recorded, and those that were are found here.
    Bans(store).ban(chosen.user_id, chosen.reason)
    connections = Connections(store)
    ended = [connections.remove(connection_id) for connection_id in connections.of_person(chosen.user_id)]
    yield f"Banned {chosen.user_id}; connections ended: {len(ended)}"


def unban(store: Store, chosen: argparse.Namespace) -> Iterator[str]:
    """Let a person in again."""
    was_banned = Bans(store).unban(chosen.user_id)
    yield f"{chosen.user_id} {'may come in again' if was_banned else 'was not banned'}"


def banned(store: Store, chosen: argparse.Namespace) -> Iterator[str]:
    """List who is banned."""
    yield from [_line(one) for one in Bans(store).all()] or ["Nobody is banned"]


def _line(ban: Ban) -> str:
    since = datetime.fromtimestamp(ban.since / 1000, UTC)
    return f"{ban.user_id}  since {since:%Y-%m-%d %H:%M} UTC  {ban.reason}".rstrip()


def _user_id(text: str) -> str:
    try:
        return check_id("UID", text)
    except InvalidField as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _reason(text: str) -> str:
    try:
        return check_text("--reason", text, max_bytes=MAX_REASON_BYTES)
    except InvalidField as error:
        raise argparse.ArgumentTypeError(str(error)) from None
