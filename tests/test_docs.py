"""What the documents name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    *sorted(ROOT.glob("[A-Z]*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "tests" / "README.md",
]
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
#: Where a path in a document may begin: at the root, or at app/ for the packages that the page knows.
BASES = (ROOT, ROOT / "app")


def missing_tests(text: str) -> list[str]:
    named = set(re.findall(r"`(test_\w+)`", text))
    return sorted(name for name in named if f"def {name}(" not in TESTS)


def missing_files(text: str) -> list[str]:
    named = set(re.findall(r"`((?:tests|tools|docs|app|backend|static|kizuna|chat|ui)/[\w/.*-]*)`", text))
    return sorted(name for name in named if not any(list(base.glob(name.rstrip("/"))) for base in BASES))


def programs(document: Path) -> list[str]:
    """Return the Python programs that a document shows."""
    return re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


def missing_commands(text: str) -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^|&& |\n {4})make ([a-z][a-z-]+)", text, re.MULTILINE))
    return sorted(name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE))


def missing_links(document: Path, text: str) -> list[str]:
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    return sorted(link for link in linked if not (document.parent / link).exists())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_test_file_and_link_that_a_document_names_exists(document: Path):
    text = document.read_text(encoding="utf-8")
    built = {"static/vendor/"}  # by the set-up
    assert missing_tests(text) == []
    assert [name for name in missing_files(text) if name not in built] == []
    assert missing_links(document, text) == []
    assert missing_commands(text) == []


def test_each_of_the_24_behaviours_names_a_test():
    rows = re.findall(
        r"^\| (\d+) \| .* \| (.*) \|$", (ROOT / "docs" / "behaviours.md").read_text("utf-8"), re.MULTILINE
    )
    assert [int(number) for number, _ in rows] == [*range(1, 25)]
    assert [number for number, shown_by in rows if not re.search(r"`test_\w+`", shown_by)] == []


def test_a_name_that_means_nothing_is_noticed(tmp_path: Path):
    assert missing_tests("`test_that_" + "is_not_there`") == ["test_that_" + "is_not_there"]
    assert missing_files("`tests/nowhere.py`") == ["tests/nowhere.py"]
    assert missing_links(tmp_path / "a.md", "[b](b.md)") == ["b.md"]
    assert missing_commands("run `make nothing`, or\n    make test\n    make no-test") == [
        "no-test",
        "nothing",
    ]
