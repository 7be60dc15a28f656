"""The suite as a command: `python -m kizuna.testing.conformance URL`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from kizuna.testing.conformance import CHECKS, Outcome, Target, command, run, sentence
from kizuna.testing.conformance.target import CHAT

DESCRIPTION = """Run each check against a server of wire KIZUNA, and print a line for it. Exit code: 0 if none fails,
1 if one does, 2 for a wrong call."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code. ``arguments``: the command line; None: this program's."""
    parser = argparse.ArgumentParser(prog="python -m kizuna.testing.conformance", description=DESCRIPTION)
    add = parser.add_argument
    add("url", help="ws:// or wss://")
    add("--token", help="for the query of the URL")
    add(
        "--payload",
        type=_object,
        default=CHAT,
        metavar="JSON",
        help="of each message; {} in a text: a new text",
    )
    add("--channel", default=Target.channel, metavar="NAME", help="with {}: a new one for each check")
    add("--restart", type=command, metavar="COMMAND", help="kills the server, and starts it again")
    add("--replace", type=command, metavar="COMMAND", help="replaces its history, as a backup does")
    add(
        "--within",
        type=float,
        default=Target.within,
        metavar="SECONDS",
        help="in which an answer has to come",
    )
    add("--only", action="append", default=[], choices=CHECKS, metavar="CHECK", help="may come several times")
    options = vars(parser.parse_args(arguments))
    only = options.pop("only")
    return asyncio.run(_print_results(Target(**options), only))


async def _print_results(target: Target, only: Sequence[str]) -> int:
    code = 0
    async for result in run(target, only):
        wanted = sentence(result.name)
        words = f"{result.words}. Wanted: {wanted}" if result.words else wanted
        print(f"{result.outcome:8}{result.name}: {words}", flush=True)
        if result.outcome is Outcome.FAILED:
            code = 1
    return code


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


if __name__ == "__main__":  # pragma: no cover - by a test in another process
    sys.exit(main())
