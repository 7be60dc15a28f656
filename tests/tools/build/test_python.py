"""What goes into the archives and into the snapshot; and the build as a whole, whose Python runs here for real."""

from __future__ import annotations

import io
import json
import re
import sys
import tomllib
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.support.site import shared_site
from tools.build import python as build_python, site as build
from tools.build.errors import BuildError
from tools.build.page import start_files_of
from tools.build.page_files import demo_files
from tools.build.python import (
    HOME,
    Python,
    demo_archive,
    imports_of,
    make_python,
    modules_of,
    program_files,
    pyscript_files,
)
from tools.build.site import BuildOptions
from tools.build.snapshot import unpacked

ROOT = Path(__file__).parents[3]
NODE = Path(sys.executable).parent / "node"
UNCHECKED = b"\x01\x00\x00\x00"


@pytest.fixture(scope="module")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_site(tmp_path_factory)


def test_the_program_is_what_pyscript_fetches_of_the_source_tree():
    fetched = tomllib.loads((ROOT / "pyscript.toml").read_text(encoding="utf-8"))["files"]
    expected = {f"{HOME}/{place.removeprefix('./')}": source for source, place in fetched.items()}
    files = program_files(ROOT)
    assert files.keys() == expected.keys()
    for place, source in expected.items():
        assert files[place] == (ROOT / source).read_text(encoding="utf-8")


def test_the_demo_is_an_archive_of_its_own():
    files = demo_files(ROOT)
    assert not {f"{HOME}/{place}" for place in files.values()} & program_files(ROOT).keys()
    with zipfile.ZipFile(io.BytesIO(demo_archive(ROOT))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            place: (ROOT / source).read_bytes() for source, place in files.items()
        }


def test_modules_have_the_names_by_which_they_are_imported():
    paths = [f"{HOME}/main.py", f"{HOME}/ui/__init__.py", f"{HOME}/ui/page.py", f"{HOME}/i18n/en.json"]
    assert list(modules_of(paths)) == ["main", "ui", "ui.page"]


def test_pyscripts_own_python_is_found_in_its_javascript(tmp_path: Path):
    code = "import base64\nfrom collections import abc\ndef f():\n import html\nfrom pyscript import x\nimport js"
    (tmp_path / "core-1.js").write_text(f'go({{"__init__.py":{json.dumps(code)},"a.py":"import io"}})')
    found = pyscript_files(tmp_path)
    assert found == {f"{HOME}/pyscript/__init__.py": code, f"{HOME}/pyscript/a.py": "import io"}
    assert imports_of(found.values()) == {"base64", "collections", "html", "io"}
    ours = pyscript_files(ROOT / "static" / "vendor" / "pyscript")
    assert "asyncio" in imports_of(ours.values())


@pytest.mark.parametrize(
    "script", ["nothing", '{"__init__.py":"import io","sub":{"__init__.py":"import io"}}']
)
def test_a_pyscript_that_keeps_its_python_elsewhere_is_noticed(tmp_path: Path, script: str):
    (tmp_path / "core-1.js").write_text(script)
    with pytest.raises(BuildError, match="PyScript's own Python"):
        pyscript_files(tmp_path)


def test_a_node_whose_snapshots_do_not_load_everywhere_is_refused(tmp_path: Path):
    newer = tmp_path / "node"
    newer.write_text("#!/bin/sh\necho v24.1.0\n")
    newer.chmod(0o755)
    with pytest.raises(BuildError, match=r"v24.1.0.*Node 20"):
        make_python(ROOT, tmp_path, newer)
    with pytest.raises(BuildError, match="missing"):
        make_python(ROOT, tmp_path, tmp_path / "none")


#: Says what it sees of the machine that builds, and does not import.
PROGRAM_OF_NO_USE = """
import json, os, time
try:
    import nowhere_at_all
except ImportError as error:
    environment = [os.environ.get(name) for name in ("PYTHONHASHSEED", "TZ", "LANG")]
    raise RuntimeError("seen: " + json.dumps([time.time(), time.tzname, environment])) from error
"""


@pytest.fixture(scope="module")
def refusal(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the build says of such a program, on a machine in Tokyo."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        changed.setenv("LANG", "ja_JP.UTF-8")
        changed.setattr(build_python, "program_files", lambda root: {f"{HOME}/main.py": PROGRAM_OF_NO_USE})
        with pytest.raises(BuildError) as raised:
            make_python(ROOT, tmp_path_factory.mktemp("refused"), NODE)
    return str(raised.value)


def test_a_program_that_does_not_import_stops_the_build_with_its_traceback(refusal: str):
    assert "No module named 'nowhere_at_all'" in refusal
    assert f'File "{HOME}/main.py", line 4, in <module>' in refusal


def test_a_build_sees_neither_clock_nor_settings_of_its_machine(refusal: str):
    found = re.search(r"RuntimeError: seen: (.*)", refusal)
    assert found, refusal
    year_2000, zone, environment = json.loads(found[1])
    assert year_2000 == 946_684_800
    assert zone == ["UTC-0000", "UTC-0000"]
    assert environment == ["0", None, "C.UTF-8"]


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BuildError, match="something else than a built site"):
        build.build(BuildOptions(root=ROOT, site=tmp_path, config=tmp_path / "config.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]

    site = tmp_path / "site"
    (site / "blog").mkdir(parents=True)
    (site / "index.html").write_text('<script type="application/json" id="start-files">')
    with pytest.raises(BuildError, match="more than a built site: blog would be deleted"):
        build.build(BuildOptions(root=ROOT, site=site, config=tmp_path / "config.json"))
    assert (site / "blog").is_dir()


@pytest.mark.deep  # a second build; the short form: what runs in a build sees nothing of its machine
def test_two_builds_give_the_same_bytes_wherever_they_are_made(
    built_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    again: Python = make_python(ROOT, tmp_path, NODE)
    files = start_files_of((built_site / "index.html").read_text(encoding="utf-8"))
    assert again.library.read_bytes() == (built_site / files["library"]).read_bytes()
    assert again.program.read_bytes() == (built_site / files["program"]).read_bytes()
    memory = unpacked(
        (built_site / files["snapshot"]).read_bytes(), files["memory"]["stretches"], files["memory"]["size"]
    )
    assert again.snapshot.read_bytes() == memory


def test_the_snapshot_says_nothing_of_the_machine_that_made_it(built_site: Path):
    (snapshot,) = built_site.rglob("*.snapshot")
    content = snapshot.read_bytes()
    assert str(ROOT).encode() not in content
    assert str(Path(sys.prefix).resolve()).encode() not in content


def test_the_library_is_compiled_uncompressed_and_without_a_date(built_site: Path):
    (path,) = (built_site / "assets").glob("library.*.zip")
    with zipfile.ZipFile(path) as library:
        names = set(library.namelist())
        assert {"asyncio/__init__.pyc", "json/decoder.pyc", "html/__init__.pyc"} <= names
        assert not [name for name in names if name.startswith(("unittest/", "tkinter/", "sqlite3/"))]
        for entry in library.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert library.read(entry)[4:8] == UNCHECKED


def test_the_program_lies_beside_its_sources_which_tracebacks_show(built_site: Path):
    (path,) = (built_site / "assets").glob("program.*.zip")
    with zipfile.ZipFile(path) as program:
        sources = {name for name in program.namelist() if name.endswith(".py")}
        compiled = [name for name in program.namelist() if name.endswith(".pyc")]
        pyscript = [name for name in compiled if name.startswith("pyscript/")]
        assert len(sources) == len(compiled) - len(pyscript) > 50
        assert "pyscript/__pycache__/__init__.cpython-314.pyc" in pyscript
        assert program.read("ui/page.py") == (ROOT / "app" / "ui" / "page.py").read_bytes()
        assert all(program.read(name)[4:8] == UNCHECKED for name in compiled)


def test_the_page_names_existing_files_with_sizes_and_checksum(built_site: Path):
    files = start_files_of((built_site / "index.html").read_text(encoding="utf-8"))
    for path, size in files["sizes"].items():
        assert (built_site / path).stat().st_size == size
    assert files["checksum"] == zlib.adler32((built_site / files["snapshot"]).read_bytes())
    assert (built_site / files["pyodide"] / "pyodide.asm.wasm").exists()
    with zipfile.ZipFile(io.BytesIO((built_site / files["nothing"]).read_bytes())) as nothing:
        assert nothing.namelist() == []


def test_the_site_holds_no_plugin_and_no_micropip(built_site: Path):
    names = {path.name for path in built_site.rglob("*")}
    assert not [
        name
        for name in names
        if any(word in name for word in ("codemirror", "xterm", "micropip", "py-editor"))
    ]
    assert {path.name for path in built_site.iterdir()} >= {"index.html", "_headers", "assets", "static"}


def test_what_was_there_before_goes_and_a_failed_build_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    site = tmp_path / "site"
    (site / "static").mkdir(parents=True)
    (site / "static" / "old.txt").write_text("old")
    (site / "index.html.br").write_text("old")
    (site / "index.html").write_text('<script type="application/json" id="start-files">')
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BuildError, match=r"config\.json"):
        build.build(BuildOptions(root=ROOT, site=site, config=tmp_path / "config.json"))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir() and path != site] == []
    assert (site / "static" / "old.txt").exists()
    (tmp_path / "config.json").write_text("{}")
    library, program, snapshot, demo = (
        tmp_path / name for name in ("library", "program", "snapshot", "demo")
    )
    made = Python(library, program, snapshot, demo, version="1")
    for path in (library, program, snapshot, demo):
        path.write_bytes(b"made")
    monkeypatch.setattr(build, "make_python", lambda *_: made)
    build.build(BuildOptions(root=ROOT, site=site, config=tmp_path / "config.json", quality=1))
    assert not (site / "static" / "old.txt").exists()
    assert (site / "index.html").stat().st_mtime <= (site / "static" / "config.json").stat().st_mtime
    assert (site / "static" / "config.json").read_text() == "{}"
    # A script that the program asks for by its name keeps it.
    unnamed = {path.name: path.read_bytes() for path in (site / "static" / "boot").glob("*.js")}
    assert unnamed["ticks.js"] == (ROOT / "static" / "boot" / "ticks.js").read_bytes()
    assert unnamed.keys().isdisjoint(build.RENAMED_SCRIPTS)


def test_nothing_of_make_dev_is_in_the_site(built_site: Path):
    tell_tales = re.findall(
        r"dev[-/]\w+", (ROOT / "static" / "dev" / "reload.js").read_text(encoding="utf-8")
    )
    assert set(tell_tales) == {"dev-reload", "dev/changes"}
    files = [
        path for path in built_site.rglob("*") if path.suffix in (".html", ".js", ".mjs", ".css", ".json")
    ]
    assert len(files) > 8
    assert [path.name for path in built_site.rglob("*") if path.name == "dev" or "reload" in path.name] == []
    assert [path for path in files if any(word in path.read_text("utf-8") for word in tell_tales)] == []


@pytest.mark.parametrize("host", ["https://chat.example", "a b", "chat.example/path", "x@y"])
def test_a_host_that_is_none_is_refused(host: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        build.main(["--host", host])
    assert "chat.example.org" in capsys.readouterr().err
