"""Which browsers are found, what is installed, and what is said when it may not be."""

from dataclasses import replace
from pathlib import Path

import pytest

from tools.setup import browsers
from tools.setup.browsers import Browsers

SOMEWHERE = Path("/usr/bin/true")
ALL = Browsers(SOMEWHERE, SOMEWHERE, SOMEWHERE, SOMEWHERE, SOMEWHERE, SOMEWHERE)
NONE = Browsers(None, None, None, None, None)


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The lists of packages that were asked for, on a machine without browsers that allows it."""
    asked: list[list[str]] = []

    def install(packages: list[str]) -> int:
        asked.append(packages)
        return 0

    monkeypatch.setattr(browsers, "find_browsers", lambda: ALL if asked else NONE)
    monkeypatch.setattr(browsers, "missing_fonts", list)
    monkeypatch.setattr(browsers, "may_install", lambda: True)
    monkeypatch.setattr(browsers, "_has_headless_shell", lambda: True)
    monkeypatch.setattr(browsers, "install", install)
    return asked


def test_what_is_missing_is_installed_in_one_go(
    installs: list[list[str]], capsys: pytest.CaptureFixture[str]
):
    assert browsers.main() == 0
    assert installs == [
        ["chromium", "firefox-esr", "webkit2gtk-driver", "xvfb", "xauth", "chromium-headless-shell"]
    ]
    assert capsys.readouterr().out == ""


def test_the_headless_shell_alone_is_fetched_where_there_is_one(
    installs: list[list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(browsers, "find_browsers", lambda: replace(ALL, headless_shell=None))
    assert browsers.main() == 0
    assert installs == [["chromium-headless-shell"]]
    monkeypatch.setattr(browsers, "_has_headless_shell", lambda: False)
    assert browsers.main() == 0
    assert len(installs) == 1


def test_a_complete_machine_is_left_alone(installs: list[list[str]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(browsers, "find_browsers", lambda: ALL)
    assert browsers.main() == 0
    assert installs == []


def test_where_nothing_may_be_installed_each_missing_browser_is_one_line(
    installs: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(browsers, "may_install", lambda: False)
    assert browsers.main() == 0
    assert installs == []
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "Chromium",
        "Firefox",
        "WebKit",
    ]


def test_webkit_counts_only_when_complete():
    assert ALL.webkit
    assert not Browsers(SOMEWHERE, SOMEWHERE, SOMEWHERE, None, SOMEWHERE).webkit


def test_programs_are_found_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("chromium", "firefox", "WebKitWebDriver"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = browsers.find_browsers()
    assert (found.chromium, found.firefox, found.webkit_driver) == (
        tmp_path / "chromium",
        tmp_path / "firefox",
        tmp_path / "WebKitWebDriver",
    )
    assert found.xvfb_run is None
