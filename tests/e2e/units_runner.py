"""pytest over the unit tests inside a page.

Pyodide's own event loop is the browser's and cannot be run until a coroutine is done. So tests get a plain loop of
asyncio that selects nothing: what it runs comes from itself, as everything in these tests does. Hypothesis has a
native part that Pyodide lacks: in its place is a stand-in that marks what draws its examples, as Hypothesis does, so
that these are left out and the other tests of those files run.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import unittest
from collections.abc import Sequence
from typing import Any
from unittest.mock import MagicMock

import pytest


class PlainLoop(asyncio.BaseEventLoop):
    """An event loop that runs what is ready or due, without files, sockets and threads.

    Where nothing is ready, time jumps to the next timer; where none is armed either, the test waits in vain.
    """

    def __init__(self) -> None:
        super().__init__()
        self._jumped = 0.0
        self._selector = self

    def time(self) -> float:
        """Return seconds, jumps included."""
        return time.monotonic() + self._jumped

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for nothing."""
        if timeout is None:
            raise RuntimeError("the test waits for what nobody will do")
        self._jumped += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        """Do nothing, since there is no other thread."""


class PlainPolicy(asyncio.DefaultEventLoopPolicy):
    """The policy by which asyncio makes such loops."""

    _loop_factory = PlainLoop


class Record:
    """A pytest plugin that records each test's outcome."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: dict[str, str] = {}
        self.deselected: list[str] = []

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        """Add the setting of a plugin that is missing here."""
        parser.addini("timeout", "of pytest-timeout")

    def pytest_configure(self, config: pytest.Config) -> None:
        """Add the marks of plugins that are missing here."""
        for mark in ("timeout: of pytest-timeout", "hypothesis: of Hypothesis"):
            config.addinivalue_line("markers", mark)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Record deselected tests."""
        self.deselected += [item.nodeid for item in items]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that could not be collected."""
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record passed, failed and skipped tests."""
        if not report.passed:
            self.failed[report.nodeid] = report.longreprtext or str(report.longrepr)
        elif report.when == "call":
            self.passed.append(report.nodeid)


class StateMachine:
    """A placeholder for Hypothesis's RuleBasedStateMachine."""

    @pytest.mark.hypothesis
    class TestCase(unittest.TestCase):
        def runTest(self) -> None:
            """Left out."""


def replace_hypothesis() -> None:
    """Let files that import Hypothesis be imported."""
    stand_in = MagicMock(
        given=lambda *args, **kwargs: pytest.mark.hypothesis, settings=lambda **kwargs: lambda test: test
    )
    stand_in.stateful.RuleBasedStateMachine = StateMachine
    for name in ("strategies", "stateful"):
        sys.modules[f"hypothesis.{name}"] = getattr(stand_in, name)
    sys.modules["hypothesis"] = stand_in


def run_in_page(folder: str, tests: Sequence[str], left_out: Sequence[str]) -> asyncio.Future[str]:
    """Run the tests from ``folder`` without those whose ids begin so; the future has their results as JSON."""
    replace_hypothesis()
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()

    def run() -> None:  # as a callback: inside a task no other could run
        policy = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(PlainPolicy())
        asyncio._set_running_loop(None)
        try:
            record = Record()
            places = [f"--rootdir={folder}", f"--config-file={folder}/pyproject.toml"]
            places += [f"{folder}/{test}" for test in tests]
            places += [f"--deselect={test}" for test in left_out]
            code = int(pytest.main([*IN_PAGE, *places], plugins=[record]))
            done.set_result(json.dumps({"platform": sys.platform, "code": code, **vars(record)}))
        finally:
            asyncio.set_event_loop_policy(policy)
            asyncio._set_running_loop(loop)
            if not done.done():
                done.set_exception(RuntimeError("pytest broke off; the console says why"))

    loop.call_soon(run)
    return done


#: No thread, no second process, no file descriptor to capture; nothing that Hypothesis draws.
IN_PAGE = (
    *("-p", "pytest_asyncio.plugin", "-p", "no:faulthandler", "-p", "no:cacheprovider", "--capture=sys"),
    *("-q", "--no-header", "-m", "not hypothesis"),
)
