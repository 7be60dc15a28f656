"""A site with the shape of a built one, made in no time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

LARGE = 40_000  #: enough to be worth compressing
VERY_LARGE = 120_000  #: enough to be asked for compressed
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
    contents |= {"index.html": page.encode(), "static/config.json": b"{}", "_headers": b"/*\n"}
    for name, content in contents.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if len(content) >= 300:
            path.with_name(f"{path.name}.br").write_bytes(f"brotli of {name}".encode())
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
    return site
