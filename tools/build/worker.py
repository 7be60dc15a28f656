"""The service worker of the built site: static/boot/service_worker.js, with the files of one version listed in it, and
with static/boot/compressed.js, which it cannot import: not every browser takes modules for service workers."""

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
#: Folders whose files a version consists of, beside index.html. static/config.json is no part of it: it changes alone.
_FOLDERS = (ASSETS, "static/boot")
#: What a way of starting needs of the files in start_files, beyond what every start needs.
WAYS = {"snapshot": ("snapshot", "nothing"), "ordinary": ("library", "program")}
_PLACE = "const BUILD = null;"


def digests_of(site: Path) -> dict[str, str]:
    """Path from the site's root -> SHA-256, of all files that browsers keep; index.html is not among them."""
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in _FOLDERS
        for path in sorted((site / folder).rglob("*"))
        if path.is_file() and path.name != "LICENSE" and path.suffix not in (".br", ".gz")
    }


def version_of(page: str, worker: str, digests: Mapping[str, str]) -> str:
    """Ten hexadecimal digits that are others as soon as one byte is. ``page``: index.html, without a version;
    ``worker``: its source, without the list."""
    return fingerprint([page.encode(), worker.encode(), json.dumps(digests, sort_keys=True).encode()])


def worker_source(root: Path) -> str:
    """The script and its helper as one, with a place for the list."""
    helper = (root / HELPER).read_text(encoding="utf-8")
    return re.sub(r"^export ", "", helper, flags=re.MULTILINE) + (root / SCRIPT).read_text(encoding="utf-8")


def worker_script(
    source: str, version: str, digests: Mapping[str, str], start_files: Mapping[str, Any]
) -> bytes:
    """The script with the list in it. Raises BuildError if it has no place for one."""
    if source.count(_PLACE) != 1:
        raise BuildError(f"{SCRIPT}: it has no line {_PLACE!r}: tell tools/build/worker.py")
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
