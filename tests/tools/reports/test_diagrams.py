"""The diagrams of docs/states.md say what the tables say: nothing less, nothing more, nothing out of date."""

from __future__ import annotations

import re

from kizuna.core.states import LINK_TABLE, STATUS_TABLE, LinkSignal, LinkState, Status, Trigger
from tools.reports import diagrams, documents

Arrows = set[tuple[str, str, str]]
PAGE = diagrams.DOCUMENT.read_text(encoding="utf-8")
SECTION = PAGE.partition("<!-- states -->")[2].partition("<!-- end of states -->")[0]
STATUS_BLOCK, LINK_BLOCK = re.findall(r"```mermaid\n(.*?)```", SECTION, re.DOTALL)


def triggers(label: str) -> list[str]:
    """What a label stands for, read without the code that wrote it. A trigger may have a comma in its name."""
    known = [*Trigger, *LinkSignal, *diagrams.TOGETHER]
    found: list[str] = []
    rest = label
    while rest:
        name = max((name for name in known if rest.startswith(name)), key=len)
        found += sorted(diagrams.TOGETHER.get(name, {name}))
        rest = rest[len(name) :].removeprefix(", ")
    return found


def drawn(block: str) -> Arrows:
    """Every arrow of a diagram, those of a group once for each of its members."""
    arrows: Arrows = set()
    for source, target, label in re.findall(r"^ +(\w+) --> (\w+): (.+)$", block, re.MULTILINE):
        for member in diagrams.GROUPS.get(source, {source}):
            arrows |= {(str(member), str(trigger), target) for trigger in triggers(label)}
    return arrows


def test_the_document_is_up_to_date():
    assert documents.rewritten(PAGE, "states", diagrams.section()) == PAGE, "run `make diagrams`"


def test_the_document_shows_every_arrow_of_the_status_table_and_no_other():
    promised: Arrows = {
        (str(status), str(trigger), str(target))
        for status, rows in STATUS_TABLE.items()
        for trigger, row in rows.items()
        for target in row.to
    }
    rows = re.findall(r"^\| (\w+) \| .+ \| (.*) \|$", SECTION, re.MULTILINE)
    staying: Arrows = {
        (name, trigger, name) for name, label in rows if name in set(Status) for trigger in triggers(label)
    }
    assert drawn(STATUS_BLOCK) | staying == promised


def test_the_document_shows_every_arrow_of_the_link_table_and_no_other():
    assert drawn(LINK_BLOCK) == {
        (str(state), str(signal), str(target))
        for state, signals in LINK_TABLE.items()
        for signal, target in signals.items()
    }


def test_the_document_names_every_state_with_its_meaning():
    meanings = diagrams.meanings(Status) | diagrams.meanings(LinkState)
    assert meanings.keys() == {*Status, *LinkState}
    for status in Status:
        assert f"| {status} | {meanings[status]} |" in SECTION
    for state in LinkState:
        assert f"| {state} | {meanings[state]} |" in SECTION
    assert all(meanings.values()), "a state without a meaning: write `#: ...` behind it in states.py"


def test_a_frame_holds_each_of_its_members_once():
    inside: list[str] = []
    members: dict[str, set[str]] = {}
    for line in STATUS_BLOCK.splitlines():
        if opened := re.fullmatch(r" +state (\w+) \{", line):
            inside.append(opened[1])
        elif line.strip() == "}":
            inside.pop()
        elif inside:
            for group in inside:
                members.setdefault(group, set()).add(line.strip())
    assert members == {name: {str(status) for status in group} for name, group in diagrams.GROUPS.items()}


def test_an_arrow_that_a_whole_group_shares_is_drawn_once():
    arrows = {(str(s), "link lost", str(t)) for s in diagrams.GROUPS["standing"] for t in ("waiting", s)}
    assert diagrams.lifted(arrows) == {
        ("standing", "link lost", "waiting"),
        ("connected", "link lost", "connected"),
        ("suspect", "link lost", "suspect"),
    }
