"""A check before a release: `python -m tools.checks.release v0.1.0` says what stands in its way.

It runs before anything is installed: standard library only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Where a published wheel, and the page, say whose repository they come from.
PUBLISHED = ("pyproject.toml", "README-library.md", "docs/library/quickstart.md", "index.html")
#: Stands for the owner until somebody publishes.
NOBODY = "github.com/YOU/"


def obstacles(root: Path, tag: str) -> Iterator[str]:
    """Yield what must be changed before this tag can be published."""
    source = (root / "app" / "kizuna" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    if tag != f"v{version}":
        yield f"the tag is {tag}, and kizuna.__version__ is {version}"
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        yield f"CHANGELOG.md has no section ## {version} with a date"
    for name in PUBLISHED:
        if NOBODY in (root / name).read_text(encoding="utf-8"):
            yield f"{name} says {NOBODY}: put the repository's owner in its place"


def main(arguments: list[str]) -> int:
    """Print the obstacles for the tag in ``arguments``; return 1 if there is one."""
    found = list(obstacles(ROOT, *arguments))
    for obstacle in found:
        print(obstacle, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
