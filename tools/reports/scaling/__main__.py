"""The command line: print the tables, or put them into docs/scaling.md."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tools.reports.scaling import tables


def main(arguments: Sequence[str] | None = None) -> None:
    """``--write`` puts the tables into the page; without it they are printed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.reports.scaling", description="What Kizuna costs and carries on AWS."
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scaling.md")
    write = parser.parse_args(arguments).write
    texts = tables.parts()
    if write:
        page = tables.PAGE.read_text(encoding="utf-8")
        tables.PAGE.write_text(tables.rewritten(page, texts), encoding="utf-8")
    else:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in texts.items()))


if __name__ == "__main__":
    main()
