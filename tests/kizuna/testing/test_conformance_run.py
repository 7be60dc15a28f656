"""The suite over real WebSockets: as tests of pytest, and as a command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kizuna.testing import FakeChannelServer
from kizuna.testing.conformance import CHECKS, NotConforming, Target, command, sentence
from kizuna.testing.conformance.__main__ import main
from kizuna.testing.pytest_plugin import SETTINGS, pytest_addoption
from tests.kizuna.testing.loopback import served
from tests.kizuna.testing.test_conformance import (
    AnswersSyncBackwards,
    ForgetsIdsOfClosedConnections,
    SkipsNumbers,
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A fake server on loopback."""
    with served(FakeChannelServer()) as url:
        yield url


@pytest.fixture
def settings(url: str) -> dict[str, str]:
    """What the ini file says."""
    return {"kizuna_url": url, "kizuna_restart": "true", "kizuna_payload": '{"sku": 7}'}


@pytest.fixture
def pytestconfig(settings: dict[str, str]) -> Any:
    """The configuration of a user's pytest, without options."""
    return SimpleNamespace(getoption=lambda name: None, getini=lambda name: settings.get(name, ""))


def test_the_server_conforms(kizuna_conformance: Callable[[], None], request: pytest.FixtureRequest):
    if "replaced" in request.node.name:
        with pytest.raises(pytest.skip.Exception, match="needs --replace"):
            kizuna_conformance()
    else:
        kizuna_conformance()


def test_settings_are_read_from_text(kizuna_target: Target, url: str):
    assert (kizuna_target.url, kizuna_target.data()) == (url, {"sku": 7})
    assert kizuna_target.restart is not None
    assert kizuna_target.replace is None


def test_without_a_url_a_test_is_skipped(settings: dict[str, str], request: pytest.FixtureRequest):
    settings.clear()
    with pytest.raises(pytest.skip.Exception, match="kizuna_url"):
        request.getfixturevalue("kizuna_target")


def test_each_setting_is_an_option_and_an_ini_key():
    added: list[str] = []
    group = SimpleNamespace(addoption=lambda name, **_: added.append(name))
    parser = SimpleNamespace(getgroup=lambda *_: group, addini=lambda name, _: added.append(name))
    pytest_addoption(parser)  # type: ignore[arg-type]
    assert added == [text for name in SETTINGS for text in (f"--kizuna-{name}", f"kizuna_{name}")]


def test_pytest_runs_one_test_for_each_check(url: str, tmp_path: Path):
    code = "def test_conforms(kizuna_conformance):\n    kizuna_conformance()\n"
    (tmp_path / "test_server.py").write_text(code, encoding="utf-8")
    ini = f"[pytest]\naddopts = -p kizuna.testing.pytest_plugin -p no:cacheprovider\nkizuna_url = {url}\n"
    (tmp_path / "pytest.ini").write_text(ini, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CHECKS) - 2} passed, 2 skipped" in done.stdout


# --- the command ---


def test_the_command_prints_a_line_for_each_check(url: str, capsys: pytest.CaptureFixture[str]):
    assert main([url, "--payload", '{"sku": 7}', "--restart", "true"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split() for line in lines] == [
        ["skipped" if name == "replaced" else "ok", name] for name in CHECKS
    ]


@pytest.mark.parametrize(
    ("faulty", "name", "words"),
    [
        (ForgetsIdsOfClosedConnections, "dedupe-after-reconnect", "on another connection number 1 became "),
        (AnswersSyncBackwards, "gap", "a batch after 2 has the numbers [5, 4, 3], in this order"),
        (SkipsNumbers, "order", "the acks have the numbers [1, 2, 3, 4, 5, 6, 7, 8, 10, 11], not "),
    ],
)
def test_the_command_names_the_check_that_a_faulty_server_fails(
    faulty: type[FakeChannelServer], name: str, words: str, capsys: pytest.CaptureFixture[str]
):
    with served(faulty()) as url:
        assert main([url, "--only", "hello", "--only", name]) == 1
    ok, failed = capsys.readouterr().out.splitlines()
    assert ok.startswith("ok      hello: Answer hello")
    assert failed.startswith(f"FAILED  {name}: {words}")
    assert f". Wanted: {sentence(name)}" in failed


@pytest.mark.parametrize("wrong", [["--payload", "[]"], ["--payload", "{"], ["--only", "nothing"], []])
def test_a_wrong_call_is_explained(wrong: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["ws://localhost", *wrong] if wrong else [])
    assert ended.value.code == 2
    assert "usage: python -m kizuna.testing.conformance" in capsys.readouterr().err


async def test_a_command_that_fails_is_told():
    await command("true")()
    with pytest.raises(NotConforming, match="the command ended with 3: exit 3"):
        await command("exit 3")()


def test_it_runs_as_a_module(url: str):
    run = [sys.executable, "-m", "kizuna.testing.conformance", url, "--only", "hello"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["ok", "hello:"]), done.stderr
