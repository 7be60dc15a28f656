"""A connection in a terminal: `python -m kizuna wss://example.org/ws`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command, and return its exit code."""
    try:
        from kizuna.aio import terminal
    except ModuleNotFoundError:
        print("python -m kizuna needs websockets: pip install 'kizuna[aio]'", file=sys.stderr)
        return 2
    return terminal.main()


if __name__ == "__main__":  # pragma: no cover - by a test in another process
    sys.exit(main())
