"""The built site's service worker: static/boot/service_worker.js with the list of one version's files.

static/boot/compressed.js is included, since not every browser has modules in service workers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.build.assets import ASSETS, fingerprint
from tools.build.errors import BuildError

SCRIPT = Path("static", "boot", "service_worker.js")
HELPER = Path("static", "boot", "compressed.js")
#: The folders of a version's files, beside index.html. static/config.json is no part of a version: it changes alone.
_FOLDERS = (ASSETS, "static/boot")
#: Way of starting -> the files of start_files that it needs beyond those of every start; and those of the demo alone.
WAYS = {"snapshot": ("snapshot", "nothing"), "ordinary": ("library", "program"), "demo": ("demo",)}
_PLACE = "const BUILD = null;"


def digests_of(site: Path) -> dict[str, str]:
    """Return path -> SHA-256 of all files that the worker keeps, except index.html."""
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in _FOLDERS
        for path in sorted((site / folder).rglob("*"))
        if path.is_file() and path.name != "LICENSE" and path.suffix not in (".br", ".gz")
    }


def version_of(page: str, worker: str, digests: Mapping[str, str]) -> str:
    """Return a hash of a version. ``page``: index.html without a version. ``worker``: its source without the list."""
    return fingerprint([page.encode(), worker.encode(), json.dumps(digests, sort_keys=True).encode()])


def worker_source(root: Path) -> str:
    """Return the script and its helper as one, with a place for the list."""
    helper = (root / HELPER).read_text(encoding="utf-8")
    return re.sub(r"^export ", "", helper, flags=re.MULTILINE) + (root / SCRIPT).read_text(encoding="utf-8")


def worker_script(
    source: str, version: str, digests: Mapping[str, str], start_files: Mapping[str, Any]
) -> bytes:
    """Return the script with the list. Raises BuildError if it has no place for it."""
    if source.count(_PLACE) != 1:
        raise BuildError(f"{SCRIPT} has no line {_PLACE!r}: adapt tools/build/worker.py")
    ways = {
        way: {start_files[name]: digests[start_files[name]] for name in names} for way, names in WAYS.items()
    }
    of_a_way = {path for files in ways.values() for path in files}
    build = {
        "version": version,
        "config": "static/config.json",
        "files": {path: digest for path, digest in digests.items() if path not in of_a_way},
        "ways": ways,
    }
    return source.replace(_PLACE, f"const BUILD = {json.dumps(build, indent=1)};").encode()
