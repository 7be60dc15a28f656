"""A site with the shape of a built one, made in no time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

#: Large enough to be worth compressing.
LARGE = 40_000
#: Large enough to be asked for compressed.
VERY_LARGE = 120_000
FILES = {
    "assets/boot.1.js": LARGE,
    "assets/page.1.css": LARGE,
    "assets/kizuna.1.svg": 300,
    "assets/pyodide-1/pyodide.mjs": LARGE,
    "assets/pyodide-1/pyodide.asm.wasm": LARGE,
    "assets/program.1.zip": LARGE,
    "assets/start.1.snapshot": VERY_LARGE,
    "assets/nothing.1.zip": 22,
    "static/boot/ticks.js": 300,
    "service-worker.js": 300,
}
NAMED = ("assets/boot.1.js", "assets/page.1.css", "assets/kizuna.1.svg", "assets/pyodide-1/pyodide.mjs")
FETCHED = (
    "assets/pyodide-1/pyodide.asm.wasm",
    "assets/program.1.zip",
    "assets/start.1.snapshot",
    "assets/nothing.1.zip",
)


def make(site: Path) -> Path:
    """Write it, with .br and .gz beside what gets smaller by it. Nobody here reads brotli: its files only say so."""
    start_files = json.dumps({"sizes": {path: FILES[path] for path in FETCHED}})
    names = "\n".join(f'<link href="{path}">' for path in NAMED)
    page = f'{names}\n<script type="application/json" id="start-files">{start_files}</script>'
    contents = {path: b"x" * size for path, size in FILES.items()}
    for name, content in {**contents, "index.html": page.encode()}.items():
        _write(site / name, content)
        if len(content) >= 300:
            _write(site / f"{name}.br", f"brotli of {name}".encode())
            _write(site / f"{name}.gz", gzip.compress(content))
    _write(site / "static" / "config.json", b"{}")
    _write(site / "_headers", b"/*\n")
    return site


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
