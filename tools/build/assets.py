"""The site's immutable files: named after their content, and compressed in advance."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from tools.build.errors import BuildError

#: The folder of the immutable files.
ASSETS = "assets"
COMPRESSOR = Path(__file__).with_name("compress.mjs")
#: Suffixes of compressed formats, and the bytes below which a second file is not worth it.
INCOMPRESSIBLE = {".png", ".webp", ".woff2"}
MIN_SIZE = 256
#: Brotli's quality, 0 to 11: the best takes minutes, the quick one seconds.
BEST, QUICK = 11, 5


class Assets:
    """The files in ``site``/assets."""

    def __init__(self, site: Path) -> None:
        self._site = site
        #: Path from the site's root -> its bytes, uncompressed.
        self.sizes: dict[str, int] = {}

    def add(self, name: str, content: bytes) -> str:
        """Write one file and return its path, such as assets/boot.1f3a5c7e9b.js for boot.js."""
        stem, dot, end = name.rpartition(".")
        return self._write(f"{stem}.{fingerprint([content])}{dot}{end}", content)

    def add_folder(self, name: str, contents: Mapping[str, bytes]) -> str:
        """Write files that name each other into a renamed folder, and return its path, with a slash at its end."""
        folder = f"{name}-{fingerprint(part for item in sorted(contents.items()) for part in _parts(item))}"
        for file, content in contents.items():
            self._write(f"{folder}/{file}", content)
        return f"{ASSETS}/{folder}/"

    def _write(self, name: str, content: bytes) -> str:
        path = PurePosixPath(ASSETS, name)
        target = self._site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.sizes[str(path)] = len(content)
        return str(path)


def fingerprint(parts: Iterable[bytes]) -> str:
    """Return ten hexadecimal digits of a hash."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:10]


def compress(site: Path, node: Path, quality: int, cache: Path) -> None:
    """Put .br and .gz beside every file of the site that becomes smaller.

    ``cache``: the folder of compressed files from earlier builds; files that this build does not use are deleted there.
    """
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {
        path: cache / _cache_name(path, quality) for path in sorted(site.rglob("*")) if _compressible(path)
    }
    # By content, since two files may have the same.
    missing = {kept: path for path, kept in wanted.items() if not kept.with_name(f"{kept.name}.gz").exists()}
    for kept, path in missing.items():
        shutil.copyfile(path, kept)
    _run_compressor(node, quality, missing)
    for kept in missing:
        kept.unlink()
    used = set()
    for path, kept in wanted.items():
        for end in (".br", ".gz"):
            compressed = kept.with_name(kept.name + end)
            used.add(compressed)
            if compressed.stat().st_size < path.stat().st_size:
                shutil.copyfile(compressed, path.with_name(path.name + end))
    for old in set(cache.iterdir()) - used:
        old.unlink()


def _parts(item: tuple[str, bytes]) -> tuple[bytes, bytes, bytes]:
    name, content = item
    return name.encode(), str(len(content)).encode(), content


def _compressible(path: Path) -> bool:
    return (
        path.is_file()
        and path.suffix not in {*INCOMPRESSIBLE, ".br", ".gz"}
        and not path.name.startswith("_")
        and path.stat().st_size >= MIN_SIZE
    )


def _cache_name(path: Path, quality: int) -> str:
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()}-{quality}"


def _run_compressor(node: Path, quality: int, files: Iterable[Path]) -> None:
    order = json.dumps({"quality": quality, "files": [str(path) for path in files]})
    done = subprocess.run([node, COMPRESSOR], input=order, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"Node could not compress the files:\n{done.stderr[-2000:]}")
