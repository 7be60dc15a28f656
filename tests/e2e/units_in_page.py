"""The unit tests inside the page, on Pyodide and the page's own files. `make units-in-page`

python -m tests.e2e.units_in_page                      # in Chromium
python -m tests.e2e.units_in_page --browser firefox

pytest and what it needs are packed from this environment into one file, which the page fetches from its own origin;
the Content-Security-Policy stays as it is. See units_runner.py for how they run there.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.support import browsers
from tests.support.python_page import PythonPage
from tests.support.server import ROOT, KizunaServer
from tools.browsers import find_browsers
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
    "pyproject.toml",
    "index.html",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "static").glob("[bc]*/*"))),
    *(f"static/i18n/{language}.json" for language in LANGUAGES),
)

IN_PAGE = "/home/units"

RUN = """
import sys
from pyodide.http import pyfetch

answer = await pyfetch("units.zip")
await answer.unpack_archive(extract_dir={folder!r})
sys.path[:0] = [{folder!r}, {folder!r} + "/packages"]
from tests.e2e import units_runner
await units_runner.run_in_page({folder!r}, {tests!r}, {left_out!r})
"""


@dataclass(frozen=True)
class Result:
    """What became of the tests in one Python. Tests are named by their ids."""

    python: str
    platform: str
    code: int  #: pytest's exit code
    seconds: float
    collected: Sequence[str]
    passed: Sequence[str]
    failed: Mapping[str, str]  #: and skipped ones, which should not be: how
    deselected: Mapping[str, str]  #: why


def pack() -> bytes:
    """The zip: the tests, pytest, and the settings of pyproject.toml."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in (*(ROOT / each for each in READ_BY_TESTS), *_sources(ROOT / each for each in TESTS)):
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
    return [
        path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*.py")))
    ]


def run_in(page: Page, url: str, tests: Sequence[str] = TESTS) -> Result:
    """Load the page, and run these tests in it."""
    packed = pack()
    tab = PythonPage(page, url)
    page.unroute("**/pyscript.toml")  # all of the page's files, as the page has them
    page.route("**/units.zip", lambda route: route.fulfill(body=packed, content_type="application/zip"))
    tab.begin_to_open()
    tab.wait_until_started()
    result = Result(
        **json.loads(tab.run(RUN.format(folder=IN_PAGE, tests=list(tests), left_out=dict(LEFT_OUT))))
    )
    assert tab.watch.problems == []
    return result


class Here:
    """Responsible for asking which tests there are on this Python, meanwhile."""

    def __init__(self, tests: Sequence[str] = TESTS) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.units_runner", *tests],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def result(self) -> Result:
        """Wait for the answer."""
        output, _ = self._process.communicate(timeout=60)
        return Result(**json.loads(output.rstrip().rpartition("\n")[2]))


def main() -> int:
    """Run them in one browser, and say what became of them."""
    parser = argparse.ArgumentParser(
        prog="make units-in-page ARGS=...", description="The unit tests in the page."
    )
    parser.add_argument("--browser", choices=["chromium", "firefox"], default="chromium")
    name = parser.parse_args().browser
    program = getattr(find_browsers(), name)
    if program is None:
        print(f"{name} is missing: make browsers")
        return 1
    here = Here()
    with (
        tempfile.TemporaryDirectory() as folder,
        KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
        sync_playwright() as playwright,
        getattr(browsers, name)(playwright, program) as browser,
    ):
        result = run_in(browser.new_page(), server.url)
    print(
        f"{name}, Python {result.python} on {result.platform}: {len(result.passed)} passed in {result.seconds:.1f} s"
    )
    for why, times in Counter(result.deselected.values()).items():
        print(f"{times} left out: {why}")
    for test, how in result.failed.items():
        print(f"{test} failed: {how}")
    missing = unaccounted(here.result(), result)
    print("\n".join(missing) or "none was forgotten")
    return 1 if missing or result.failed or result.code else 0


def unaccounted(here: Result, there: Result) -> list[str]:
    """Tests of this Python that did not run there as often, though nothing says that they should not."""
    due = [
        test
        for test in here.collected
        if test not in here.deselected and not test.startswith(tuple(LEFT_OUT))
    ]
    missing = Counter(map(_function, due)) - Counter(map(_function, (*there.passed, *there.failed)))
    return [f"{test}: {times} times too few" for test, times in missing.items()]


def _function(test: str) -> str:
    """The test without its parameters, whose names may differ from Python to Python."""
    return test.partition("[")[0]


if __name__ == "__main__":
    raise SystemExit(main())
