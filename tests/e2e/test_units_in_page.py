"""The unit tests inside the page: on Pyodide, with the page's files."""

from __future__ import annotations

import contextlib

import pytest
from playwright.sync_api import Browser, Playwright

from tests.e2e.conftest import skip_without
from tests.e2e.units_in_page import Result, collected_here, run_in, unaccounted
from tests.support import browsers
from tests.support.server import KizunaServer
from tools.setup.browsers import Browsers

#: The most important tests of each folder; deep: all of them.
SAMPLE = (
    "tests/kizuna/core/test_connection.py",
    "tests/kizuna/test_service.py",
    "tests/chat/test_names.py",
    "tests/chat/test_session.py",
    "tests/ui/test_rows.py",
)


def check(there: Result) -> None:
    print(f"{len(there.passed)} passed in the page")
    assert there.failed == {}
    assert (there.platform, there.code) == ("emscripten", 0)
    assert len(there.passed) > len(there.deselected)


def check_all(there: Result) -> None:
    check(there)
    assert unaccounted(collected_here(), there) == []


def test_a_sample_passes_in_the_page(chromium: Browser, source_server: KizunaServer) -> None:
    with contextlib.closing(chromium.new_context()) as context:
        there = run_in(context.new_page(), source_server.url, SAMPLE)
    check(there)
    assert {test.partition("::")[0] for test in there.passed} == set(SAMPLE)


@pytest.mark.deep
def test_all_pass_in_chromium(chromium: Browser, source_server: KizunaServer) -> None:
    with contextlib.closing(chromium.new_context()) as context:
        check_all(run_in(context.new_page(), source_server.url))


@pytest.mark.deep
def test_all_pass_in_firefox(
    playwright: Playwright, installed: Browsers, source_server: KizunaServer
) -> None:
    with browsers.firefox(playwright, installed.firefox or skip_without("Firefox", installed)) as firefox:
        check_all(run_in(firefox.new_page(), source_server.url))


def test_a_test_that_did_not_run_is_missed() -> None:
    here = ["a::one", "a::two[1]", "a::two[2]", "b::left_out"]
    there = Result("emscripten", 0, ["a::one", "a::two[x]"], {}, ["b::left_out"])
    assert unaccounted(here, there) == ["a::two: 1 times too few"]
