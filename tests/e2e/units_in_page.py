"""The unit tests inside the page, on Pyodide and the page's own files.

pytest and what it needs are packed from this environment into one file, which the page fetches from its own origin;
the Content-Security-Policy stays as it is. See units_runner.py for how they run there.
"""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from playwright.sync_api import Page

from tests.support.python_page import PythonPage
from tests.support.server import ROOT
from ui.texts import LANGUAGES

#: What has no part outside Python.
TESTS = ("tests/kizuna", "tests/chat", "tests/ui")

SOURCES = "reads the source tree, and calls nothing"

#: What is left out beside the properties, by the beginning of a test's id, and why.
LEFT_OUT: Mapping[str, str] = {
    "tests/ui/test_shell.py": SOURCES,
    "tests/ui/test_texts.py::test_no_key_is_left_over": SOURCES,
    "tests/ui/test_texts.py::test_every_key_the_page_asks_for_exists": SOURCES,
    "tests/kizuna/browser/": "holds the library to a fake of the browser; here is a real one",
    "tests/chat/test_protocol.py::test_what_is_not_one_json_object_is_malformed[text6]": (
        "nested too deep for WebAssembly, as the server's reader may be given; a page reads by kizuna.frame_text"
    ),
}
PACKAGES = ("_pytest", "pytest", "py", "pluggy", "iniconfig", "packaging", "pygments", "pytest_asyncio")

#: The runner, the settings, and what tests read beside the page's modules.
READ_BY_TESTS = (
    "tests/e2e/units_runner.py",
    "tests/support/depth.py",
    "pyproject.toml",
    "index.html",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "static").glob("[bc]*/*"))),
    *(f"static/i18n/{language}.json" for language in LANGUAGES),
)

RUN = """
import sys
from pyodide.http import pyfetch

answer = await pyfetch("units.zip")
await answer.unpack_archive(extract_dir="/units")
sys.path[:0] = ["/units", "/units/packages"]
from tests.e2e import units_runner
await units_runner.run_in_page("/units", {tests!r}, {left_out!r})
"""


@dataclass(frozen=True)
class Result:
    """What became of the tests in the page. Tests are named by their ids."""

    platform: str
    code: int  #: pytest's exit code
    passed: Sequence[str]
    failed: Mapping[str, str]  #: and skipped ones, which should not be: how
    deselected: Mapping[str, str]  #: why


def run_in(page: Page, url: str, tests: Sequence[str] = TESTS) -> Result:
    """Load the page, and run these tests in it."""
    packed = _pack()
    tab = PythonPage(page, url)
    page.unroute("**/pyscript.toml")  # all of the page's files, as the page has them
    page.route("**/units.zip", lambda route: route.fulfill(body=packed, content_type="application/zip"))
    tab.begin_to_open()
    tab.wait_until_started()
    told = tab.run(RUN.format(tests=list(tests), left_out=dict(LEFT_OUT)))
    assert tab.watch.problems == []
    return Result(**json.loads(told))


def collected_here(tests: Sequence[str] = TESTS) -> list[str]:
    """The ids of these tests on this Python."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "::" in line]


def unaccounted(here: Iterable[str], there: Result) -> list[str]:
    """Tests of this Python that neither ran there as often nor were left out for a reason."""
    ran = (*there.passed, *there.failed, *there.deselected)
    missing = Counter(map(_function, here)) - Counter(map(_function, ran))
    return [f"{test}: {times} times too few" for test, times in missing.items()]


def _function(test: str) -> str:
    """The test without its parameters, whose names may differ from Python to Python."""
    return test.partition("[")[0]


def _pack() -> bytes:
    """The zip: the tests, pytest, and the settings of pyproject.toml."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in [ROOT / each for each in READ_BY_TESTS] + _sources(ROOT / each for each in TESTS):
            archive.write(path, str(path.relative_to(ROOT)))
        for package in PACKAGES:
            spec = importlib.util.find_spec(package)
            assert spec is not None
            assert spec.origin is not None
            place = Path(spec.origin)  # of a package: its __init__.py
            place = place.parent if spec.submodule_search_locations else place
            for path in _sources([place]):
                archive.write(path, str("packages" / path.relative_to(place.parent)))
        about = metadata.distribution("pytest-asyncio")  # it asks for its own version
        archive.writestr(
            f"packages/pytest_asyncio-{about.version}.dist-info/METADATA", str(about.read_text("METADATA"))
        )
    return packed.getvalue()


def _sources(places: Iterable[Path]) -> list[Path]:
    return [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.py")))]
