"""The unit tests pass inside the page, too: on Pyodide, with the files as PyScript has laid them out."""

from __future__ import annotations

from dataclasses import replace

from playwright.sync_api import Browser

from tests.e2e.units_in_page import LEFT_OUT, Here, Result, run_in, unaccounted
from tests.e2e.units_runner import NEEDS_HYPOTHESIS
from tests.support.server import KizunaServer

#: Passed when this was written; fewer means that something went missing on both sides.
AT_LEAST = 1900


def test_all_that_need_no_hypothesis_pass_in_the_page(chromium: Browser, source_server: KizunaServer) -> None:
    here = Here()
    with chromium.new_context() as context:
        there = run_in(context.new_page(), source_server.url)
    print(f"{len(there.passed)} passed in {there.seconds:.1f} s")
    assert there.failed == {}
    assert (there.platform, there.code) == ("emscripten", 0)
    assert set(there.deselected.values()) == {NEEDS_HYPOTHESIS, *LEFT_OUT.values()}
    assert unaccounted(here.result(), there) == []
    assert len(there.passed) > AT_LEAST


def test_a_test_that_did_not_run_is_missed() -> None:
    here = Result("3", "linux", 0, 0, ["a::one", "a::two[1]", "a::two[2]", "b::p"], [], {}, {"b::p": "…"})
    there = replace(here, platform="emscripten", passed=["a::one", "a::two[x]"], deselected={})
    assert unaccounted(here, there) == ["a::two: 1 times too few"]
    assert unaccounted(here, replace(there, passed=["a::one", "a::two[x]", "a::two[y]"])) == []
    left_out = f"{next(iter(LEFT_OUT))}::three"
    assert unaccounted(replace(here, collected=[left_out]), there) == []
