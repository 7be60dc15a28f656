"""The site: a folder that any static host can serve, under any path. `make build` calls this module.

python -m tools.build.site                                   # into dist/site
python -m tools.build.site --config my.json --host chat.example.org
python -m tools.build.site --quick                           # less compression, in seconds

index.html, service-worker.js and static/config.json keep their names; all else is in assets/ under a name that changes
with its content. Two builds of the same sources with the same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.auth.origins import origin_of
from tools.build.assets import BEST, QUICK, Assets, compress
from tools.build.errors import BuildError
from tools.build.page import Addresses, built_page, page_bytes, read_page, stylesheets
from tools.build.policy import connect_sources, headers_file, policy_for_page
from tools.build.python import Python, make_python
from tools.build.snapshot import packed
from tools.build.worker import SCRIPT, digests_of, version_of, worker_script, worker_source

ROOT = Path(__file__).resolve().parents[2]
#: Scripts of static/boot that get new names, since the page or other scripts name them. The program requests the others
#: by their names.
RENAMED_SCRIPTS = (
    "boot.js",
    "cached_view.js",
    "python.js",
    "interpreter.js",
    "download_meter.js",
    "compressed.js",
    "updates.js",
    SCRIPT.name,
)
MANIFEST = "manifest.webmanifest"
#: Icons that the manifest names, and those of them that the page does not.
IN_MANIFEST = ("icons/kizuna.svg", "icons/icon-192.png", "icons/icon-512.png", "icons/maskable-512.png")
NOT_IN_PAGE = IN_MANIFEST[1:]
PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
#: PyScript without the plugins that the page disables. The hashes in these names are PyScript's own.
PYSCRIPT_FILES = ("core.js", "core-*.js", "error-*.js", "LICENSE")
#: The entries of a built site's folder, without compressed forms.
SITE_FILES = frozenset({"index.html", "service-worker.js", "_headers", "static", "assets"})
#: The prefix of the folders of running or killed builds.
UNDER_WAY = ".kizuna-build-"
#: A text in the page of every built site.
START_FILES = 'id="start-files"'
#: An empty zip archive.
EMPTY_ARCHIVE = b"PK\x05\x06" + bytes(18)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What to build and where. ``config`` becomes static/config.json; ``host`` as in tools.build.policy."""

    root: Path
    site: Path
    config: Path
    host: str = ""
    quality: int = BEST
    node: Path = Path(sys.executable).parent / "node"


def build(order: BuildOptions) -> Python:
    """Build the site, and replace the folder's content once all is ready. Raises BuildError."""
    try:
        json.loads(order.config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(f"{order.config}: {error}") from None
    _check_place(order.site)
    began = time.time()
    order.site.parent.mkdir(parents=True, exist_ok=True)
    with (
        _alone(order.site.parent / ".building"),
        tempfile.TemporaryDirectory(dir=order.site.parent, prefix=UNDER_WAY) as folder,
    ):
        for left in order.site.parent.glob(f"{UNDER_WAY}*"):  # by a build that was killed
            if left.is_dir() and left != Path(folder):
                shutil.rmtree(left)
        work, site = Path(folder), Path(folder, "site")
        site.mkdir()
        python = make_python(order.root, work, order.node)
        page = _lay_out(order, site, python)
        (site / "index.html").write_bytes(page)
        compress(site, order.node, order.quality, order.site.parent / f".compressed-{order.quality}")
        # The Makefile compares times: files that changed during the build must be newer.
        os.utime(site / "index.html", (began, began))
        shutil.rmtree(order.site, ignore_errors=True)
        site.rename(order.site)
    return python


def _check_place(site: Path) -> None:
    """Raise BuildError if the folder has anything but a built site, since it would be deleted."""
    if not site.exists() or (site.is_dir() and not any(site.iterdir())):
        return
    page = site / "index.html"
    if not page.is_file() or START_FILES not in page.read_text(encoding="utf-8"):
        raise BuildError(f"{site} has something else than a built site: choose an empty or new folder")
    names = {path.name.removesuffix(".br").removesuffix(".gz") for path in site.iterdir()}
    if others := names - SITE_FILES:
        raise BuildError(
            f"{site} has more than a built site: {', '.join(sorted(others))} would be deleted. "
            "Build into another folder, and copy the site from there"
        )


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock, so that another build in this place waits."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lay_out(order: BuildOptions, site: Path, python: Python) -> bytes:
    """Write every file of the site, uncompressed, except index.html, whose content is returned."""
    static = site / "static"
    static.mkdir()
    shutil.copyfile(order.config, static / "config.json")
    for script in sorted((order.root / "static" / "boot").glob("*.js")):
        if script.name not in RENAMED_SCRIPTS:
            (static / "boot").mkdir(exist_ok=True)
            shutil.copyfile(script, static / "boot" / script.name)
    connect = connect_sources(order.config, order.host)
    (site / "_headers").write_text(headers_file(connect) + "\n", encoding="utf-8")
    source = read_page(order.root)
    return _add_version(
        order.root, site, source, _add_assets(order.root, site, python, source), policy_for_page(connect)
    )


def _add_version(root: Path, site: Path, source: str, addresses: Addresses, policy: str) -> bytes:
    """Write the service worker and return the page, both with the version, a hash of the page and all files."""
    digests, worker = digests_of(site), worker_source(root)
    version = version_of(built_page(source, addresses, policy), worker, digests)
    script = worker_script(worker, version, digests, addresses.start_files)
    (site / "service-worker.js").write_bytes(script)
    named = replace(addresses, start_files={**addresses.start_files, "version": version})
    return page_bytes(built_page(source, named, policy))


def _add_assets(root: Path, site: Path, python: Python, page: str) -> Addresses:
    assets = Assets(site)
    static, boot = root / "static", root / "static" / "boot"
    vendor = static / "vendor"
    pyodide = assets.add_folder("pyodide", _contents(vendor / "pyodide", PYODIDE_FILES))
    pyscript_files = _contents(vendor / "pyscript", PYSCRIPT_FILES)
    pyscript = assets.add_folder("pyscript", pyscript_files)
    compressed = assets.add("compressed.js", (boot / "compressed.js").read_bytes())
    meter = assets.add(
        "download_meter.js", _importing(boot / "download_meter.js", {"./compressed.js": _beside(compressed)})
    )
    updates = assets.add("updates.js", (boot / "updates.js").read_bytes())
    starter = _importing(boot / "boot.js", {"./updates.js": _beside(updates)})
    launcher = _importing(boot / "python.js", {"../vendor/pyscript/": _beside(pyscript)})
    interpreter = _importing(
        boot / "interpreter.js",
        {"./download_meter.js": _beside(meter), "./compressed.js": _beside(compressed)},
    )
    core = [name for name in pyscript_files if name.startswith("core")]
    return Addresses(
        styles=assets.add("page.css", b"".join((root / path).read_bytes() for path in stylesheets(page))),
        images=_images(assets, static),
        boot=assets.add("boot.js", starter),
        cached_view=assets.add("cached_view.js", (boot / "cached_view.js").read_bytes()),
        launcher=assets.add("python.js", launcher),
        interpreter=assets.add("interpreter.js", interpreter),
        modules=(
            meter,
            compressed,
            *(f"{pyscript}{name}" for name in core),
            *(f"{pyodide}{name}" for name in PYODIDE_FILES if name.endswith(".mjs")),
        ),
        fetched=tuple(f"{pyodide}{name}" for name in PYODIDE_FILES if name.endswith(".wasm")),
        start_files=_start_files(assets, pyodide, vendor, python),
    )


def _images(assets: Assets, static: Path) -> dict[str, str]:
    """Add the icons and the manifest, which names some of them. Return address in the source tree -> address."""
    icons = {
        f"icons/{path.name}": assets.add(path.name, path.read_bytes())
        for path in sorted((static / "icons").iterdir())
    }
    manifest = static / MANIFEST
    text = _importing(manifest, {icon: _beside(path) for icon, path in icons.items() if icon in IN_MANIFEST})
    images = {**icons, MANIFEST: assets.add(MANIFEST, text)}
    return {f"static/{name}": path for name, path in images.items() if name not in NOT_IN_PAGE}


def _start_files(assets: Assets, pyodide: str, vendor: Path, python: Python) -> dict[str, Any]:
    """Return the data for static/boot/interpreter.js."""
    memory = python.snapshot.read_bytes()
    content, stretches = packed(memory)
    files = {
        "library": assets.add("library.zip", python.library.read_bytes()),
        "program": assets.add("program.zip", python.program.read_bytes()),
        "snapshot": assets.add("start.snapshot", content),
        "demo": assets.add("demo.zip", python.demo.read_bytes()),
        "nothing": assets.add("nothing.zip", EMPTY_ARCHIVE),
        "wasm": f"{pyodide}pyodide.asm.wasm",
    }
    lock = json.loads((vendor / "pyodide" / "pyodide-lock.json").read_text(encoding="utf-8"))
    return {
        **files,
        "pyodide": pyodide,
        "pyodideVersion": python.version,
        "lock": lock["info"],
        "sizes": {path: assets.sizes[path] for path in files.values()},
        "checksum": zlib.adler32(content),
        "memory": {"size": len(memory), "stretches": stretches},
    }


def _importing(script: Path, places: Mapping[str, str]) -> bytes:
    """Return a script with other import addresses. Raises BuildError if it does not import from the old ones."""
    text = script.read_text(encoding="utf-8")
    for old, new in places.items():
        if f'"{old}' not in text:
            raise BuildError(f"{script} does not import from {old}: adapt tools/build/site.py")
        text = text.replace(f'"{old}', f'"{new}')
    return text.encode()


def _beside(asset: str) -> str:
    """Return the address of one asset relative to another."""
    return f"./{asset.partition('/')[2]}"


def _contents(folder: Path, patterns: Sequence[str]) -> dict[str, bytes]:
    """Return name -> content. Raises BuildError for a pattern that finds nothing."""
    found: dict[str, bytes] = {}
    for pattern in patterns:
        paths = sorted(folder.glob(pattern))
        if not paths:
            raise BuildError(
                f"{folder} has no {pattern}: run make setup; if it does, the runtime has changed"
            )
        found |= {path.name: path.read_bytes() for path in paths}
    return found


def summary(site: Path) -> str:
    """Return a line with the site's size."""
    compressed = sum(path.stat().st_size for path in site.rglob("*.br"))
    return f"Built {site}: {compressed / 1e6:.1f} MB compressed with brotli"


def _host(text: str) -> str:
    if text and origin_of(f"https://{text}") != f"https://{text}":
        raise argparse.ArgumentTypeError(f"{text!r} is no host such as chat.example.org")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.build.site", description="Build the site.")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "dist" / "site", help="the folder to make (dist/site)"
    )
    parser.add_argument(
        "--config", type=Path, default=ROOT / "static" / "config.json", help="its config.json"
    )
    parser.add_argument("--host", type=_host, default="", help="its host, for browsers before 2022")
    parser.add_argument("--quick", action="store_true", help="compress less, in seconds")
    args = parser.parse_args(arguments)
    quality = QUICK if args.quick else BEST
    try:
        build(
            BuildOptions(
                root=ROOT, site=args.to.resolve(), config=args.config, host=args.host, quality=quality
            )
        )
    except BuildError as error:
        print(f"make: the site cannot be built: {error}", file=sys.stderr)
        return 1
    print(summary(args.to))
    return 0


if __name__ == "__main__":
    sys.exit(main())
