"""The operator's commands on the data: ``python -m backend.admin COMMAND``, also beside running servers.

    python -m backend.admin messages general --last 50     the newest messages: seq, time, sender
    python -m backend.admin delete general 1204            its content goes from every page within a heartbeat
    python -m backend.admin keep general 30                messages expire after 30 days; "forever": never
    python -m backend.admin ban UID --reason spam          keeps a person out; "unban", "banned": undo, list

``--data FILE`` names the server's SQLite file (else DATA says it, as for the server), ``--table NAME`` a DynamoDB
table, in the region and with the credentials that the environment has for the AWS tools.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backend.local.ban_command import accept_ban, accept_person, ban, banned, unban
from backend.messaging.moderation import CannotModerate, delete_message, keep_messages, last_messages
from backend.store.base import Store, StoreError
from backend.store.dynamodb import DynamoStore, dynamodb_client
from backend.store.sqlite import SqliteStore
from chat.protocol import Message, ProtocolError, check_room

#: As in backend.local.app.Options, which needs more than a tool for AWS has installed.
DATA = "data/kizuna.sqlite3"
LAST = 20
MAX_LAST = 10_000
#: A hundred years; longer is "forever".
MAX_DAYS = 36_500
#: Characters of a message that a line shows.
SHOWN = 60
DAY_SECONDS = 24 * 3600
FOREVER = "forever"
#: A valid name of a DynamoDB table.
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``accept`` adds its arguments to a parser; ``run`` does it and returns the lines to print."""

    help: str
    accept: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Store, argparse.Namespace], Iterable[str]]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and exit code 1, as all other errors are."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise what main() prints."""
        raise CannotModerate(f"{message}; {self.prog} --help says more")


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, or 1 after one line on stderr."""
    try:
        chosen = _parser(os.environ if environment is None else environment).parse_args(arguments)
        store = _store(chosen)
        try:
            for line in COMMANDS[chosen.command].run(store, chosen):
                print(line)
        finally:
            store.close()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (StoreError, CannotModerate) as error:
        print(f"Kizuna cannot do that: {error}", file=sys.stderr)
        return 1
    return 0


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m backend.admin", description="Moderate messages and people.")
    _accept_store(parser, Path(environment.get("DATA") or DATA), None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.help, description=command.help)
        command.accept(one)
        _accept_store(one, argparse.SUPPRESS, argparse.SUPPRESS)
    return parser


def _accept_store(parser: argparse.ArgumentParser, data: object, table: object) -> None:
    """Add the arguments that name the store, before the command or behind it."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, metavar="FILE", default=data, help="the SQLite file (DATA)")
    where.add_argument(
        "--table", type=_table, metavar="NAME", default=table, help="the DynamoDB table, in place of a file"
    )


def _store(chosen: argparse.Namespace) -> Store:
    if chosen.table is not None:
        try:
            return DynamoStore(dynamodb_client(), chosen.table)
        except ModuleNotFoundError as error:
            raise CannotModerate(f"--table needs {error.name}, which is not installed") from None
    return SqliteStore(chosen.data, beside=True)


# --- the commands ---


def _accept_room(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", type=_room, metavar="ROOM", help="the room's name, without #")


def _accept_delete(parser: argparse.ArgumentParser) -> None:
    _accept_room(parser)
    parser.add_argument("seq", type=int, metavar="SEQ", help="the message's number in the room")


def _delete(store: Store, chosen: argparse.Namespace) -> Iterable[str]:
    if delete_message(store, chosen.room, chosen.seq):
        yield f"Deleted message {chosen.seq} in {chosen.room}. Backups made before still hold it"
    else:
        yield f"Message {chosen.seq} in {chosen.room} was deleted before"


def _accept_keep(parser: argparse.ArgumentParser) -> None:
    _accept_room(parser)
    parser.add_argument(
        "days", type=_days, metavar="DAYS", help=f'a whole number, at least 4, or "{FOREVER}"'
    )


def _keep(store: Store, chosen: argparse.Namespace) -> Iterable[str]:
    days = None if chosen.days == FOREVER else int(chosen.days)
    changed = keep_messages(store, chosen.room, None if days is None else days * DAY_SECONDS)
    how_long = "forever" if days is None else f"for {days} days"
    yield f"Messages in {chosen.room} are kept {how_long}; older ones that were changed: {changed}"


def _accept_messages(parser: argparse.ArgumentParser) -> None:
    _accept_room(parser)
    parser.add_argument("--last", type=_count, metavar="N", default=LAST, help=f"how many ({LAST})")


def _messages(store: Store, chosen: argparse.Namespace) -> Iterable[str]:
    return map(_line, last_messages(store, chosen.room, chosen.last))


def _line(message: Message) -> str:
    said_at = datetime.fromtimestamp(message.timestamp / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    content = _printable(message.content)
    cut = content if len(content) <= SHOWN else content[: SHOWN - 1] + "…"
    return "  ".join((str(message.seq), said_at, message.sender_id, _printable(message.sender_name), cut))


def _printable(text: str) -> str:
    """Return the text on one line, without characters that move a terminal's cursor or turn its text around."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _room(text: str) -> str:
    try:
        return check_room("ROOM", text)
    except ProtocolError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _days(text: str) -> str:
    if text != FOREVER and not (_is_number(text) and int(text) <= MAX_DAYS):
        raise argparse.ArgumentTypeError(f'must be a whole number up to {MAX_DAYS}, or "{FOREVER}"')
    return text


def _table(text: str) -> str:
    if not _TABLE.fullmatch(text):
        raise argparse.ArgumentTypeError("is no name of a table")
    return text


def _count(text: str) -> int:
    if not (_is_number(text) and 1 <= int(text) <= MAX_LAST):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MAX_LAST}")
    return int(text)


def _is_number(text: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", text) is not None


COMMANDS: Mapping[str, Command] = {
    "messages": Command("Show the newest messages of a room.", _accept_messages, _messages),
    "delete": Command("Delete a message's content and sender.", _accept_delete, _delete),
    "keep": Command("Let a room's messages expire after some days.", _accept_keep, _keep),
    "ban": Command("Ban a person and end their connections.", accept_ban, ban),
    "unban": Command("Let a banned person in again.", accept_person, unban),
    "banned": Command("List those who are banned.", lambda _: None, banned),
}
