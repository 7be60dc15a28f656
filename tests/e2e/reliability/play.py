"""Playing scenarios in one engine, one after the other on the same page."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Error
from selenium.common.exceptions import WebDriverException

from tests.e2e.reliability.engines import Engine
from tests.e2e.reliability.measure import measure
from tests.e2e.reliability.results import Result
from tests.e2e.reliability.scenarios import Scenario, Stage
from tests.support.fault_proxy import FaultProxy
from tests.support.server import ROOT, KizunaServer
from tools.browsers import Browsers


def pyodide_version() -> str:
    """The version of the Pyodide that the page runs."""
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    return str(package["dependencies"]["pyodide"])


def play(
    engine: Engine, installed: Browsers, scenarios: Sequence[Scenario]
) -> Iterator[tuple[str, Scenario, Result]]:
    """The browser's version with each result. After a scenario that did not come to its end the browser is started
    anew."""
    due = list(scenarios)
    while due:
        with (
            tempfile.TemporaryDirectory() as folder,
            KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
            FaultProxy(server.port) as network,
            engine.start(installed, network) as (screen, version),
        ):
            screen.begin("first")
            screen.take_notes()
            stage = Stage(server, network, screen)
            while due:
                try:
                    result = measure(stage, due[0])
                except (AssertionError, Error, WebDriverException, OSError) as error:
                    yield version, due.pop(0), _failed(error)
                    break
                yield version, due.pop(0), result


def _failed(error: Exception) -> Result:
    words = (str(error) or type(error).__name__).splitlines()[0]
    return Result(datetime.now(UTC).date().isoformat(), problems=(f"it did not come to its end: {words}",))
