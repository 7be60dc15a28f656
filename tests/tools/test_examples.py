"""`make example` serves an example whole, from one command, and keeps its data."""

from __future__ import annotations

import os
import sys
import urllib.request
from pathlib import Path
from signal import SIGTERM

import pytest

from kizuna import __version__
from tests.support.peer import SocketClient
from tests.support.process import LOOPBACK, Process, free_port
from tools import examples


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "copies"


def start(copies: Path, port: int) -> Process:
    """Run the command, with its copies elsewhere than in dist/."""
    run = f"from pathlib import Path; from tools import examples; examples.COPIES = Path({str(copies)!r})"
    command = f"{run}; examples.main(['todo'])"
    env = {**os.environ, "PORT": str(port), "HOST": LOOPBACK, "DATA": "the chat's"}
    process = Process(sys.executable, "-c", command, env=env)
    process.wait_for("Uvicorn running on")
    return process


def test_an_example_is_served_with_all_that_its_page_needs(copies: Path) -> None:
    port = free_port()
    process = start(copies, port)
    for path in ("", "main.py", f"kizuna-{__version__}-py3-none-any.whl", "vendor/pyscript/core.js"):
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/{path}") as answer:
            assert answer.status == 200
    assert process.end(SIGTERM) == -SIGTERM


def test_the_data_of_an_example_outlives_the_command(copies: Path) -> None:
    port = free_port()
    for expected in (0, 1):
        process = start(copies, port)
        client = SocketClient.enter(f"ws://{LOOPBACK}:{port}/ws", "todo")
        assert client.batch["head"] == expected
        client.say("milk")
        client.leave()
        process.end(SIGTERM)


def test_an_unknown_example_is_refused_with_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        examples.main(["nothing"])
    assert "todo" in capsys.readouterr().err
