"""The service worker of the built site: its list of files, and when its version changes."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tools.build.errors import BuildError
from tools.build.worker import digests_of, version_of, worker_script, worker_source

ROOT = Path(__file__).parents[3]
CONTENTS = {
    "assets/boot.1.js": b"boot",
    "assets/pyodide-1/p.wasm": b"wasm",
    "assets/start.1.snapshot": b"snapshot",
    "assets/nothing.1.zip": b"nothing",
    "assets/library.1.zip": b"library",
    "assets/program.1.zip": b"program",
    "assets/demo.1.zip": b"demo",
    "static/boot/ticks.js": b"ticks",
}
START_FILES = {
    "snapshot": "assets/start.1.snapshot",
    "nothing": "assets/nothing.1.zip",
    "library": "assets/library.1.zip",
    "program": "assets/program.1.zip",
    "demo": "assets/demo.1.zip",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    others = {
        "index.html",
        "_headers",
        "static/config.json",
        "assets/boot.1.js.br",
        "assets/boot.1.js.gz",
        "assets/x/LICENSE",
    }
    for path, content in (CONTENTS | dict.fromkeys(others, b"other")).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


def list_in(script: bytes) -> dict[str, Any]:
    found = re.search(r"^const BUILD = (\{.*?\n\});$", script.decode(), re.DOTALL | re.MULTILINE)
    assert found
    build: dict[str, Any] = json.loads(found[1])
    return build


def test_a_version_lists_loaded_files_without_compressed_forms(site: Path):
    assert digests_of(site) == {
        path: hashlib.sha256(content).hexdigest() for path, content in CONTENTS.items()
    }


def test_the_repositorys_worker_accepts_a_list_for_each_start(site: Path):
    digests = digests_of(site)
    build = list_in(worker_script(worker_source(ROOT), "v1", digests, START_FILES))
    assert build["version"] == "v1"
    assert build["files"].keys() == {"assets/boot.1.js", "assets/pyodide-1/p.wasm", "static/boot/ticks.js"}
    assert {way: set(files) for way, files in build["ways"].items()} == {
        "snapshot": {"assets/start.1.snapshot", "assets/nothing.1.zip"},
        "ordinary": {"assets/library.1.zip", "assets/program.1.zip"},
        "demo": {"assets/demo.1.zip"},
    }
    ways = build["ways"]
    assert build["files"] | ways["snapshot"] | ways["ordinary"] | ways["demo"] == digests
    assert build["config"] == "static/config.json"


def test_the_version_changes_iff_content_changes(site: Path):
    digests = digests_of(site)
    versions = {
        version_of("page", "worker", digests),
        version_of("page 2", "worker", digests),
        version_of("page", "worker 2", digests),
        version_of("page", "worker", digests | {"static/boot/ticks.js": "0"}),
    }
    assert len(versions) == 4
    assert all(re.fullmatch("[0-9a-f]{10}", version) for version in versions)
    assert version_of("page", "worker", dict(reversed(digests.items()))) in versions


def test_a_worker_without_a_place_for_the_list_is_named(site: Path):
    with pytest.raises(BuildError, match="service_worker.js"):
        worker_script("const BUILD = {};", "v1", digests_of(site), START_FILES)


def test_the_source_tree_has_the_worker_that_ends_all_others():
    script = (ROOT / "service-worker.js").read_text(encoding="utf-8")
    assert "unregister()" in script
    assert "fetch" not in re.sub("//.*", "", script)
