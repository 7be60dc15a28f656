"""Every program in docs/library/ is run by a test: none is left out in silence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.examples import LIBRARY, ROOT, Example, examples, examples_in

#: Documents whose programs are run letter for letter by tests of their own, outside of this folder.
ELSEWHERE = {"quickstart.md", "testing.md"}
#: What a block of Python may be called.
PYTHON = {"", "py", "python", "python3", "pycon"}
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def runners() -> Iterator[str]:
    """The names of tests that get the code of documents."""
    for path in TESTS:
        text = path.read_text(encoding="utf-8")
        if "codes_of" not in text and path.parent != Path(__file__).parent:
            continue
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and gets_code(function):
                yield function.name


def gets_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a test takes its blocks, as an argument or by a call with its own name."""
    if {argument.arg for argument in function.args.args} & {"code", "codes"}:
        return True
    return any(
        isinstance(node, ast.Call) and ast.unparse(node) == f"codes_of({function.name!r})"
        for node in ast.walk(function)
    )


def left_out(found: list[Example], known: set[str]) -> list[str]:
    """What is wrong with blocks: Python that names no test, and names of no test."""
    return [
        f"{example.place}: {example.test or 'names no test'}"
        for example in found
        if (example.test or example.language in PYTHON) and example.test not in known
    ]


def test_every_program_is_run_by_a_test():
    here = [example for example in examples() if example.place.split(":")[0] not in ELSEWHERE]
    assert len(here) > 20
    assert left_out(here, set(runners())) == []


def test_a_program_without_a_test_is_noticed():
    text = "```python\nprint(1)\n```\n\n<!-- run by test_gone -->\n```js\n1\n```\n\n```sh\nls\n```\n"
    assert left_out(list(examples_in(text, "a.md")), set(runners())) == [
        "a.md:1: names no test",
        "a.md:6: test_gone",
    ]


def test_text_between_comment_and_program_separates_them():
    (example,) = examples_in("<!-- run by test_a -->\n\nHere:\n\n```python\n1\n```\n", "a.md")
    assert example.test == ""


@pytest.mark.parametrize("document", sorted(ELSEWHERE))
def test_documents_left_to_others_are_run_by_them(document: str):
    others = [path for path in TESTS if path.parent != Path(__file__).parent]
    users = [path for path in others if document in path.read_text(encoding="utf-8")]
    assert users or not (LIBRARY / document).exists()
