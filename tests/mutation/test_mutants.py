"""Every kind of mutant is made, each differs in one place, and listed survivors exist."""

from __future__ import annotations

import importlib.util
from unittest import mock

import pytest

from tests.mutation import __main__ as command
from tests.mutation.__main__ import MODULES, TESTS, accepted, changed_since, files_for, score, source_of
from tests.mutation.mutants import compiled, mutants


def changes(source: str) -> list[str]:
    return [mutant.change for mutant in mutants("example", source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["< becomes >= in `a < b`", "< becomes <= in `a < b`"]),
        ("x = a is b", ["is becomes is not in `a is b`"]),
        ("x = 2", ["2 becomes 3"]),
        ("x = True", ["True becomes False"]),
        ("x = a and b", ["and becomes or"]),
        ("x = a + b", ["+ becomes -"]),
        ("x = not a", ["not `not a`"]),
        ("x = {a: b, c: d}", ["without the entry `a`", "without the entry `c`"]),
        ("if a: b()", ["not `a`"]),
        ("while not a: b()", ["not `not a`"]),
        ("def f():\n    a()", ["without `a()`"]),
        ("def f():\n    return a", ["returns None"]),
        ("match a:\n    case b if c: d()", ["not `c`"]),
    ],
)
def test_each_kind_of_mistake_is_made(source: str, expected: list[str]):
    assert changes(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""words"""',
        "def f():\n    return None",
        "def f() -> a < 1: ...",
        "x: Literal[1]",
        "@dataclass(frozen=True)\nclass A: ...",
        "assert a < 1",
        "import a",
    ],
)
def test_code_without_effect_is_not_changed(source: str):
    assert [change for change in changes(source) if change != "without `...`"] == []


def test_a_mutant_does_what_it_says():
    source = "def f(a):\n    found = []\n    if a < 2:\n        found.append({1: a})\n    return found"
    results = {}
    for mutant in mutants("example", source):
        names: dict[str, object] = {}
        exec(compiled(source, mutant.number, "example.py"), names)  # noqa: S102 - written above
        function = names["f"]
        assert callable(function)
        if "found = []" not in mutant.change:
            results[mutant.change] = function(2), function(1)
    assert results == {
        "< becomes >= in `a < 2`": ([{1: 2}], []),
        "< becomes <= in `a < 2`": ([{1: 2}], [{1: 1}]),
        "2 becomes 3": ([{1: 2}], [{1: 1}]),
        "without `found.append({1: a})`": ([], []),
        "without the entry `1`": ([], [{}]),
        "1 becomes 2": ([], [{2: 1}]),
        "returns None": (None, None),
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_mutants_and_tests(module: str):
    assert mutants(module, source_of(module).read_text(encoding="utf-8"))
    assert files_for(module)


def test_every_explained_survivor_exists_and_has_a_reason():
    existing = {
        mutant.key
        for module in MODULES
        for mutant in mutants(module, source_of(module).read_text(encoding="utf-8"))
    }
    assert accepted().keys() - existing == set(), "the line has changed: test it again, or take it out"
    assert all(accepted().values())


def test_only_modules_that_changed_or_whose_tests_did_are_chosen(monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[str, ...]] = []

    def git(*arguments: str) -> str | None:
        asked.append(arguments)
        changed = "app/kizuna/core/timing.py\napp/kizuna/errors.py\ntests/kizuna/test_wire.py"
        return changed if arguments[0] == "diff" else None

    monkeypatch.setattr(command, "git", git)
    assert changed_since("main") == ["timing", "wire"]
    assert asked[-1][:4] == ("diff", "--name-only", "--relative", "main")
    changed_since("")  # where no commit has a tag
    assert asked[-1][3] == "HEAD~20"


def test_a_revision_that_git_does_not_know_is_named():
    with pytest.raises(SystemExit, match="since no-such-revision: name another"):
        changed_since("no-such-revision")


def test_examples_by_the_thousand_are_not_run_for_each_mutant():
    assert TESTS / "core" / "test_connection.py" in files_for("core")
    assert not [path for path in files_for("core") if "machine" in path.name]


def test_an_import_of_the_module_gets_the_mutant():
    path = source_of("codec")
    deeper = next(
        mutant
        for mutant in mutants("codec", path.read_text(encoding="utf-8"))
        if mutant.change == "64 becomes 65"
    )
    spec = importlib.util.spec_from_file_location("kizuna.codec", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        command.put_in_place(deeper)
        spec.loader.exec_module(module)
    finally:
        mock.patch.stopall()
    assert module.MAX_DEPTH == 65


def test_a_survivor_that_is_not_explained_is_counted_and_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    every = mutants("codec", source_of("codec").read_text(encoding="utf-8"))
    explained = next(mutant for mutant in every if mutant.key in accepted())
    other = next(mutant for mutant in every if mutant.key not in accepted())
    monkeypatch.setattr(command, "survivors", lambda module, chosen: [explained, other])
    assert command.report_on("codec", sample=None) == (len(every), 1)
    printed = capsys.readouterr().out
    assert "2 survived, 1 of them explained" in printed
    assert f"  {other}\n" in printed
    assert str(explained) not in printed


def test_a_score_counts_what_is_not_explained():
    assert score(0, 0) == 1
    assert score(40, 4) == 0.9
