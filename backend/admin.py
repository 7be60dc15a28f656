"""What an operator does to a server's data, also while it runs: ``python -m backend.admin COMMAND``.

``--data FILE`` names the SQLite file of one machine (else DATA in the environment, else data/kizuna.sqlite3),
``--table NAME`` the DynamoDB table of a backend on AWS, found with the account and region that boto3 finds.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from backend import ban_command
from backend.store.base import Store, StoreError
from backend.store.dynamodb import DynamoStore, dynamodb_client
from backend.store.sqlite import SqliteStore

DATA = "data/kizuna.sqlite3"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, 1 after one line on stderr, or 2 for arguments that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m backend.admin", description="Look after Kizuna's data.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, metavar="FILE", help="the server's SQLite file (DATA)")
    where.add_argument("--table", metavar="NAME", help="the DynamoDB table")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ban_command.add_commands(commands)
    chosen = parser.parse_args(arguments)
    run: Callable[[Store, argparse.Namespace], str] = chosen.run
    try:
        store = _store(chosen)
        try:
            print(run(store, chosen))
        finally:
            store.close()
    except StoreError as error:
        print(f"Kizuna cannot do that: {error}", file=sys.stderr)
        return 1
    return 0


def _store(chosen: argparse.Namespace) -> Store:
    if chosen.table:
        return DynamoStore(dynamodb_client(), chosen.table)
    return SqliteStore(chosen.data or Path(os.environ.get("DATA") or DATA), shared=True)


if __name__ == "__main__":
    sys.exit(main())
