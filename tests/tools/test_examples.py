"""`make example` serves an example whole, from one command, and keeps its data."""

from __future__ import annotations

import os
import sys
import urllib.request
from pathlib import Path
from signal import SIGTERM

import pytest

from kizuna import __version__
from tests.support.instructions import Instructions
from tests.support.peer import SocketClient
from tests.support.process import LOOPBACK, Process, free_port
from tools import examples


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "copies"


def start(copies: Path, port: int, name: str = "todo") -> Process:
    """Run the command, with its copies elsewhere than in dist/."""
    run = f"from pathlib import Path; from tools import examples; examples.COPIES = Path({str(copies)!r})"
    command = f"{run}; examples.main([{name!r}])"
    env = {**os.environ, "PORT": str(port), "HOST": LOOPBACK, "DATA": "the chat's"}
    process = Process(sys.executable, "-c", command, env=env)
    process.wait_for("Uvicorn running on|Serving HTTP on")
    return process


def test_an_example_is_served_with_all_that_its_page_needs(copies: Path) -> None:
    port = free_port()
    process = start(copies, port)
    for path in ("", "main.py", f"kizuna-{__version__}-py3-none-any.whl", "vendor/pyscript/core.js"):
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/{path}") as answer:
            assert answer.status == 200
    assert process.end(SIGTERM) == 0


def test_the_data_of_an_example_outlives_the_command(copies: Path) -> None:
    port = free_port()
    for expected in (0, 1):
        process = start(copies, port)
        client = SocketClient.enter(f"ws://{LOOPBACK}:{port}/ws", "todo")
        assert client.batch["head"] == expected
        client.say("milk")
        client.leave()
        process.end(SIGTERM)


def test_a_page_beside_its_server_is_served_too(copies: Path) -> None:
    port = free_port()
    process = start(copies, port, "quickstart")
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/") as answer:
        assert "Hello, Kizuna" in answer.read().decode()
    assert process.end(SIGTERM) == 0


def test_the_files_of_the_quick_start_are_those_of_its_document() -> None:
    document = (examples.ROOT / "docs" / "library" / "quickstart.md").read_text(encoding="utf-8")
    files = {
        path.name: path.read_text(encoding="utf-8")
        for path in (examples.EXAMPLES / "quickstart").iterdir()
        if path.is_file()
    }
    assert files == Instructions.of(document).files


def test_an_unknown_example_is_refused_with_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        examples.main(["nothing"])
    assert "todo" in capsys.readouterr().err
