"""The guide to testing shows the example, letter for letter, in at most forty lines; tests/tools runs all of it."""

from pathlib import Path

from tests.test_docs import programs

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = Path(__file__).with_name("test_guide_example.py").read_text(encoding="utf-8")


def test_the_guide_shows_five_tests_in_forty_lines():
    first, *_ = programs(ROOT / "docs" / "library" / "testing.md")
    assert first == EXAMPLE
    assert first.count("async def test_") == 5
    assert len(first.splitlines()) <= 40
