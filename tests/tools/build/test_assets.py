"""Files that never change have names of their own, and lie there compressed."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.build.assets import QUICK, Assets, compress
from tools.build.errors import BuildError

NODE = Path(sys.executable).parent / "node"
DECODE = (
    "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(process.argv[1])))"
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


def test_a_name_changes_with_the_content_and_only_with_it(site: Path):
    assets = Assets(site)
    first, same, other = assets.add("a.js", b"1"), assets.add("a.js", b"1"), assets.add("a.js", b"2")
    assert first == same != other
    assert [path.partition(".")[0] for path in (first, other)] == ["assets/a", "assets/a"]
    assert first.endswith(".js")
    assert (site / first).read_bytes() == b"1"
    assert assets.sizes == {first: 1, other: 1}


def test_files_that_name_each_other_share_a_renamed_folder(site: Path):
    assets = Assets(site)
    first = assets.add_folder("p", {"a.mjs": b"import './b.mjs'", "b.mjs": b"1"})
    other = assets.add_folder("p", {"a.mjs": b"import './b.mjs'", "b.mjs": b"2"})
    assert first != other
    assert (site / first / "b.mjs").read_bytes() == b"1"
    assert (site / other / "a.mjs").read_bytes() == b"import './b.mjs'"


def test_a_byte_moved_between_files_changes_the_folder(site: Path):
    assets = Assets(site)
    assert assets.add_folder("p", {"a": b"12", "b": b"3"}) != assets.add_folder("p", {"a": b"1", "b": b"23"})


def test_what_gets_smaller_lies_there_compressed_in_both_ways(site: Path, tmp_path: Path):
    words = b"the same words " * 1000
    noise = os.urandom(5000)
    for name, content in {
        "words.js": words,
        "noise.bin": noise,
        "short.js": b"1",
        "picture.png": words,
    }.items():
        Assets(site).add(name, content)
    (site / "_headers").write_bytes(words)
    compress(site, NODE, QUICK, tmp_path / "cache")
    compressed = sorted(
        path.name.partition(".")[0] for path in site.rglob("*") if path.suffix in (".br", ".gz")
    )
    assert compressed == ["words", "words"]
    (brotli,) = site.rglob("*.br")
    (gzipped,) = site.rglob("*.gz")
    assert gzip.decompress(gzipped.read_bytes()) == words
    assert subprocess.run([NODE, "-e", DECODE, brotli], capture_output=True, check=True).stdout == words


def test_compressed_files_are_cached_and_unused_ones_deleted(site: Path, tmp_path: Path):
    cache = tmp_path / "cache"
    Assets(site).add("a.js", b"a" * 1000)
    compress(site, NODE, QUICK, cache)
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    compress(site, NODE, QUICK, cache)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == kept
    for path in (site / "assets").iterdir():
        path.unlink()
    Assets(site).add("b.js", b"b" * 1000)
    compress(site, NODE, QUICK, cache)
    assert len(list(cache.iterdir())) == 2
    assert not kept.keys() & set(cache.iterdir())


def test_a_compressor_that_fails_stops_the_build(site: Path, tmp_path: Path):
    Assets(site).add("a.js", b"a" * 1000)
    with pytest.raises(BuildError, match="could not compress"):
        compress(site, Path("/bin/false"), QUICK, tmp_path / "cache")
