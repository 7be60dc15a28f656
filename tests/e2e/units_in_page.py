"""The unit tests inside the page, on Pyodide and the page's own files.

pytest and what it needs are packed from this environment into one file, which the page fetches from its own origin;
the Content-Security-Policy stays as it is. See units_runner.py for how they run there.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import chain

from playwright.sync_api import Page

from tests.support.python_page import PythonPage
from tests.support.server import ROOT
from ui.kit.texts import LANGUAGES

#: Folders of tests that need Python alone.
TESTS = ("tests/kizuna", "tests/chat", "tests/ui")

#: Folders of tests that cannot be imported there.
CPYTHON_ALONE = ("tests/kizuna/aio/", "tests/kizuna/testing/")
#: Tests that are left out beside property tests, by the beginning of their ids.
LEFT_OUT = (
    # They read the source tree.
    "tests/ui/test_shell.py",
    "tests/ui/test_texts.py::test_no_key_is_left_over",
    "tests/ui/test_texts.py::test_every_key_the_page_asks_for_exists",
    "tests/ui/test_texts.py::test_keys_made_at_run_time_are_found",
    # They use a fake of the browser; here is a real one.
    "tests/kizuna/browser/",
    # They are about CPython, where pytest's plugin and the conformance suite are; all others use the fakes.
    *CPYTHON_ALONE,
    "tests/kizuna/test_service.py::test_a_relative_url_is_refused_where_there_is_no_page",
    # Nested too deep for WebAssembly, as the server's reader may be given; a page reads by kizuna.codec.
    "tests/chat/test_protocol.py::test_what_is_not_one_json_object_is_malformed[text6]",
)
PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-asyncio")

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
    """The results of the tests in the page, by their ids."""

    platform: str
    code: int  #: pytest's exit code
    passed: Sequence[str]
    failed: Mapping[str, str]  #: or skipped ones, with the reason
    deselected: Sequence[str]


def run_in(page: Page, url: str, tests: Sequence[str] = TESTS) -> Result:
    """Load the page, and run these tests in it."""
    packed = _pack()
    tab = PythonPage(page, url)
    page.unroute("**/pyscript.toml")  # all of the page's files, as the page has them
    page.route("**/units.zip", lambda route: route.fulfill(body=packed, content_type="application/zip"))
    tab.begin_to_open()
    tab.wait_until_started()
    told = tab.run(RUN.format(tests=list(tests), left_out=LEFT_OUT))
    assert tab.watch.problems == []
    return Result(**json.loads(told))


def collected_here() -> list[str]:
    """Return the ids of all tests on this Python."""
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *TESTS]
    listed = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "::" in line]


def unaccounted(here: Iterable[str], there: Result) -> list[str]:
    """Return tests of this Python that ran fewer times in the page and were not left out; parameters may differ."""
    ran = (*there.passed, *there.failed, *there.deselected)
    here = [test for test in here if not test.startswith(LEFT_OUT)]  # of some, the page has fewer parameters
    wanted, done = (Counter(test.partition("[")[0] for test in tests) for tests in (here, ran))
    return [f"{test}: {times} times too few" for test, times in (wanted - done).items()]


def _pack() -> bytes:
    """Return the zip with the tests, pytest and the settings of pyproject.toml."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        sources = [path for folder in TESTS for path in sorted((ROOT / folder).rglob("*.py"))]
        folders = [ROOT / folder for folder in CPYTHON_ALONE]
        sources = [path for path in sources if not any(map(path.is_relative_to, folders))]
        for path in [*(ROOT / each for each in READ_BY_TESTS), *sources]:
            archive.write(path, path.relative_to(ROOT))
        for file in chain.from_iterable(metadata.files(package) or () for package in PACKAGES):
            if file.suffix == ".py" or file.name == "METADATA":
                archive.write(str(file.locate()), f"packages/{file}")
    return packed.getvalue()
