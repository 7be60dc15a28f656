"""The commands that ban people: ``ban``, ``unban`` and ``banned`` of ``python -m backend.admin``.

They work beside a running server. The records of a banned person's connections are deleted, so they hear nothing
more; their next frame is answered by ``bye``, and nobody lets them in again. The rooms are not told that they left:
the command has no way to their connections. The next who comes or goes brings the right number.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from backend.bans import Ban, Bans
from backend.connections import Connections
from backend.store.base import Store
from chat.protocol import InvalidField, check_id, check_text

MAX_REASON_BYTES = 1024


def add_commands(commands: Any) -> None:
    """Add them to what ``ArgumentParser.add_subparsers`` has returned.

    Each sets ``run``: a function of the store and the parsed arguments that does it and returns what to print.
    """
    ban = commands.add_parser("ban", help="let a person in no more, and end their connections")
    ban.add_argument("user_id", type=_user_id, metavar="UID", help="the person's user id, as the log has it")
    ban.add_argument("--reason", type=_reason, default="", help="a note for yourself; nobody else sees it")
    ban.set_defaults(run=_ban)
    unban = commands.add_parser("unban", help="let a banned person in again")
    unban.add_argument("user_id", type=_user_id, metavar="UID", help="the person's user id")
    unban.set_defaults(run=_unban)
    banned = commands.add_parser("banned", help="list those who are banned")
    banned.set_defaults(run=_list)


def _ban(store: Store, chosen: argparse.Namespace) -> str:
    # The ban first: from then on no new connection is recorded, and those that were are found here.
    Bans(store).ban(chosen.user_id, chosen.reason)
    connections = Connections(store)
    ended = [connections.remove(connection_id) for connection_id in connections.of_person(chosen.user_id)]
    return f"Banned {chosen.user_id}; connections that hear nothing more: {len(ended)}"


def _unban(store: Store, chosen: argparse.Namespace) -> str:
    if Bans(store).unban(chosen.user_id):
        return f"{chosen.user_id} may come in again"
    return f"{chosen.user_id} was not banned"


def _list(store: Store, chosen: argparse.Namespace) -> str:
    return "\n".join(map(_line, Bans(store).all())) or "Nobody is banned"


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
