"""What the package index and its visitors read of the library, and what the sdist is good for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from packaging.metadata import Metadata

import kizuna
from tests.support.checkout import bare_checkout
from tests.support.process import Process
from tests.support.socket_server import SocketServer
from tests.test_docs import programs

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README-library.md"
REPOSITORY = re.compile(r"https://github\.com/[\w-]+/kizuna")


def build(source: Path, target: str, folder: Path) -> Path:
    """Build the wheel or the sdist of a source tree, and return its file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.glob("kizuna-*")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Metadata:
    """The wheel's metadata, validated as the index validates them."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name))


def tokens_of(markdown: str) -> list[Token]:
    """Read a text as the index reads it."""
    return MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)


def links(markdown: str) -> list[str]:
    """Every address that a Markdown text links to or shows as an image."""
    children = [child for token in tokens_of(markdown) for child in token.children or ()]
    linking = [token for token in children if token.type in ("link_open", "image")]
    return [str(token.attrs.get("href") or token.attrs["src"]) for token in linking]


def test_the_metadata_say_all_that_a_visitor_of_the_index_asks(metadata: Metadata):
    assert (metadata.name, str(metadata.version)) == ("kizuna", kizuna.__version__)
    assert metadata.metadata_version == "2.4"  # the newest that the publishing action of release.yml knows
    assert metadata.summary
    assert metadata.license_expression == "MIT"
    assert metadata.maintainer
    assert "websocket" in (metadata.keywords or [])
    assert metadata.description_content_type == "text/markdown"
    assert set(metadata.project_urls or {}) == {"Documentation", "Source", "Changelog", "Issues"}


def test_the_classifiers_name_every_tested_python(metadata: Metadata):
    """That each of them exists, hatchling checks."""
    said = set(metadata.classifiers or [])
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    (tested,) = re.findall(r"python: \[(.+)\]", workflow)
    versions = {f"Programming Language :: Python :: {version}" for version in re.findall(r"3\.\d+", tested)}
    assert {name for name in said if re.search(r":: 3\.\d+$", name)} == versions
    assert {"Environment :: WebAssembly :: Emscripten", "Framework :: AsyncIO", "Typing :: Typed"} <= said
    assert any(name.startswith("Development Status ::") for name in said)


def test_the_wheels_readme_is_its_own(metadata: Metadata):
    assert metadata.description == README.read_text(encoding="utf-8")


def test_every_link_of_metadata_and_readme_is_absolute_and_leads_somewhere(metadata: Metadata):
    addresses = [*links(metadata.description or ""), *(metadata.project_urls or {}).values()]
    assert len(addresses) > 5
    for address in addresses:
        assert REPOSITORY.match(address), f"{address} is not an address of the repository"
        _, _, path = address.partition("/blob/main/")
        assert not path or (ROOT / path).is_file(), address


def test_a_relative_link_is_noticed():
    assert links("[a](docs/a.md) ![b](b.png)\n\n| c |\n|---|\n| [d](d.md) |") == [
        "docs/a.md",
        "b.png",
        "d.md",
    ]


def test_the_readme_needs_nothing_that_the_index_does_not_show():
    tokens = tokens_of(README.read_text(encoding="utf-8"))
    assert {token.info for token in tokens if token.type == "fence"} == {"python"}
    assert not [token for token in tokens if token.type == "html_block"]
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 60


def test_the_readmes_program_shows_frames_and_survives_a_restart(wheel: Path, tmp_path: Path):
    (program,) = programs(README)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    with SocketServer() as server:
        program = program.replace("wss://example.org/ws", f"{server.url}/echo")
        body = textwrap.indent(program, "    ")
        (tmp_path / "program.py").write_text(
            f"import asyncio\nasync def main():\n{body}\nasyncio.run(main())\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"}
        running = Process(sys.executable, "program.py", env=environment, cwd=tmp_path)
        try:
            running.wait_for(re.escape(str({"text": "hello"})))
            server.stop()
            running.wait_for("^waiting")
            server.start()
            running.wait_for("^waiting(.|\n)*^connected")
        finally:
            running.end()


def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path):
    sdist = build(ROOT, "sdist", tmp_path / "sdist")
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(tmp_path)], check=True)
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert (source / README.name).is_file()
    assert build(source, "wheel", tmp_path / "wheel").read_bytes() == wheel.read_bytes()


def make(checkout: Path, *arguments: str) -> str:
    """Return what make prints, as if no make had started these tests."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    command = ["make", *arguments]
    return subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_wheel_is_built_without_the_set_up(wheel: Path, tmp_path: Path):
    """Where there is a set-up its hatchling builds the wheel; without one, pip is asked for hatchling alone."""
    checkout = bare_checkout(tmp_path)
    planned = make(checkout, "-n", "wheel")
    assert re.findall(r"-r (\S+)", planned) == ["requirements/wheel.txt"]
    assert "npm" not in planned

    (checkout / ".venv").symlink_to(sys.prefix)
    built = make(checkout, "wheel")
    (made,) = (checkout / "dist").iterdir()
    assert built.splitlines() == [
        "Building the wheel in dist ...",
        f"dist/{made.name}: {made.stat().st_size} bytes",
    ]
    assert made.read_bytes() == wheel.read_bytes()
