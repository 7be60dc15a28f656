"""A connection in a terminal: `python -m kizuna wss://example.org/ws`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Callable, Sequence

from kizuna.environment import default_platform
from kizuna.errors import ConfigurationError
from kizuna.wire import ARTICLE, KIZUNA, PLAIN

WIRES = {wire.name: wire for wire in (PLAIN, KIZUNA, ARTICLE)}
DESCRIPTION = """Connect and stay connected; print each state and each frame; send each line of the input as one text
frame, as it is. The end of the input ends nothing; Ctrl-C does."""
WRONG_CALL, INTERRUPTED = 2, 130


def main(
    arguments: Sequence[str] | None = None, *, input_file: int = 0, say: Callable[[str], None] = print
) -> int:
    """Run the command, and return its exit code: 130 after Ctrl-C, 1 if the server refuses us, 2 for a wrong call.

    Args:
        arguments: The command line; None: this program's.
        input_file: The file descriptor that lines are read from.
        say: Prints a line.
    """
    parser = argparse.ArgumentParser(prog="python -m kizuna", description=DESCRIPTION)
    parser.add_argument("url", help="ws://, wss://, http:// or https://")
    parser.add_argument(
        "--wire", choices=WIRES, default=PLAIN.name, help="what the server speaks (default: plain)"
    )
    options = parser.parse_args(arguments)
    try:
        default_platform()  # raises without websockets, in words
        terminal = importlib.import_module("kizuna.aio.terminal")
        return int(asyncio.run(terminal.converse(options.url, WIRES[options.wire], input_file, say)))
    except (ConfigurationError, ImportError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":  # pragma: no cover - by a test in another process
    sys.exit(main())
