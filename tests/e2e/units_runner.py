"""pytest over the unit tests, inside a page; the result is data.

Pyodide's own event loop is the browser's and cannot be run until a coroutine is done. So tests get a plain loop of
asyncio that selects nothing: what it runs comes from itself, as everything in these tests does. Hypothesis has a
native part that Pyodide lacks: what draws its examples is left out, and in a page the module `hypothesis` is
``PropertiesMarked``, so that the other tests of those files run.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest

NEEDS_HYPOTHESIS = "draws its examples by Hypothesis"


class PlainLoop(asyncio.BaseEventLoop):
    """Responsible for running what is ready and what is due, with nothing from outside: no files, sockets, threads.

    Where nothing is ready, time jumps to the next timer; where none is armed either, the test waits in vain.
    """

    def __init__(self) -> None:
        super().__init__()
        self._jumped = 0.0
        self._selector = self

    def time(self) -> float:
        """Seconds, jumps included."""
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
        """There is no other thread that this one could be woken from."""


def plain_policy() -> asyncio.AbstractEventLoopPolicy:
    """How asyncio makes such loops, wherever one is asked for."""

    class PlainPolicy(asyncio.DefaultEventLoopPolicy):
        _loop_factory = PlainLoop

    return PlainPolicy()


class Record:
    """Responsible for what became of each test, and why; ``left_out``: reasons, by the beginning of a test's id."""

    def __init__(self, left_out: Mapping[str, str]) -> None:
        self.passed: list[str] = []
        self.failed: dict[str, str] = {}
        self.deselected: dict[str, str] = {}
        self._left_out = left_out

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        """The setting of a plugin that is not here: nothing in a page could interrupt a test."""
        parser.addini("timeout", "of pytest-timeout")

    def pytest_configure(self, config: pytest.Config) -> None:
        """And the marks of plugins that are not here."""
        for mark in ("timeout: of pytest-timeout", "no_cover: of pytest-cov"):
            config.addinivalue_line("markers", mark)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is to be left out, and say why."""
        reasons = [self._why_not(item) for item in items]
        self.deselected = {item.nodeid: why for item, why in zip(items, reasons, strict=True) if why}
        items[:] = [item for item, why in zip(items, reasons, strict=True) if not why]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that could not be read."""
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that was skipped did not pass either."""
        if not report.passed:
            self.failed[report.nodeid] = report.longreprtext or str(report.longrepr)
        elif report.when == "call":
            self.passed.append(report.nodeid)

    def _why_not(self, item: pytest.Item) -> str:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            return NEEDS_HYPOTHESIS
        return next((why for begin, why in self._left_out.items() if item.nodeid.startswith(begin)), "")


class Anything:
    """Responsible for standing where Hypothesis would give a strategy, a decorator or a class to derive from."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Also a class that is derived from one."""

    def __call__(self, *args: Any, **kwargs: object) -> Any:
        """As a decorator it leaves what it is put on as it is."""
        return args[0] if args and callable(args[0]) else Anything()

    def __or__(self, other: object) -> Anything:
        return Anything()

    def __getattr__(self, name: str) -> Anything:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()


class PropertiesMarked(ModuleType):
    """Responsible for letting files be imported that import Hypothesis, and for marking its tests as it does."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "given":
            return _given
        return Anything() if name[0].isupper() else Anything


def _given(*args: object, **kwargs: object) -> Callable[[Any], Any]:
    def mark(function: Any) -> Any:
        function.is_hypothesis_test = True
        return function

    return mark


def run_in_page(folder: str, tests: Sequence[str], left_out: Mapping[str, str]) -> asyncio.Future[str]:
    """Run them, from ``folder``; the future is the JSON of what became of them."""
    hypothesis = sys.modules["hypothesis"] = PropertiesMarked("hypothesis")
    for name in ("strategies", "stateful"):
        module = sys.modules[f"hypothesis.{name}"] = PropertiesMarked(name)
        setattr(hypothesis, name, module)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()

    def run() -> None:  # as a callback: inside a task no other could run
        policy = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(plain_policy())
        asyncio._set_running_loop(None)
        try:
            places = [f"--rootdir={folder}", f"--config-file={folder}/pyproject.toml"]
            places += [f"{folder}/{test}" for test in tests]
            record = Record(left_out)
            code = int(pytest.main([*IN_PAGE, *places, "-q", "--no-header"], plugins=[record]))
            told = {"passed": record.passed, "failed": record.failed, "deselected": record.deselected}
            done.set_result(json.dumps({"platform": sys.platform, "code": code, **told}))
        finally:
            asyncio.set_event_loop_policy(policy)
            asyncio._set_running_loop(loop)
            if not done.done():
                done.set_exception(RuntimeError("pytest broke off; the console says why"))

    loop.call_soon(run)
    return done


#: No thread, no second process, no file descriptor to capture.
IN_PAGE = ("-p", "pytest_asyncio.plugin", "-p", "no:faulthandler", "-p", "no:cacheprovider", "--capture=sys")
