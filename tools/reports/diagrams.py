"""The state diagrams of docs/states.md, from the tables of app/kizuna/core/states.py. `make diagrams` writes them.

The diagram of the status has groups: an arrow that all members of a group share is drawn once, from the group.
What leads from a status to itself would only clutter it, and stands in the table of meanings instead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from kizuna.core import states
from kizuna.core.states import LINK_TABLE, LinkState, Status, Trigger
from tools.reports.documents import ROOT, rewritten

DOCUMENT = ROOT / "docs" / "states.md"

#: Group -> its statuses. A group lies inside another whose statuses include its own.
GROUPS: Mapping[str, frozenset[Status]] = {
    "wanted": frozenset(Status) - {Status.IDLE, Status.REJECTED, Status.CLOSED},
    "awake": frozenset(Status) - {Status.IDLE, Status.REJECTED, Status.CLOSED, Status.SUSPENDED},
    "standing": frozenset({Status.CONNECTED, Status.SUSPECT}),
    "away": frozenset({Status.WAITING, Status.OFFLINE, Status.EXHAUSTED}),
}

#: Triggers that mostly go together, and the words for all of them at once.
TOGETHER: Mapping[str, frozenset[Trigger]] = {
    "page comes back": frozenset({Trigger.SHOWN, Trigger.ONLINE, Trigger.RESUMED, Trigger.WOKE}),
}

#: Where it leads from, what makes it go, where it leads to. The names are statuses, link states or groups.
Arrow = tuple[str, str, str]


def status_arrows() -> set[Arrow]:
    """Every arrow of the status table."""
    return {(source, trigger, target) for source, trigger, target in states.transitions()}


def link_arrows() -> set[Arrow]:
    """Every arrow of the link table."""
    return {
        (state, signal, target) for state, signals in LINK_TABLE.items() for signal, target in signals.items()
    }


def lifted(arrows: set[Arrow]) -> set[Arrow]:
    """``arrows`` with those that all members of a group share, and that leave it, drawn from the group."""
    arrows = set(arrows)
    for group, members in GROUPS.items():
        leaving = {(trigger, target) for source, trigger, target in arrows if source in members} - {
            (trigger, target) for _, trigger, target in arrows if target in members
        }
        for trigger, target in leaving:
            shared = {(str(member), trigger, target) for member in members}
            if shared <= arrows:
                arrows = arrows - shared | {(group, trigger, target)}
    return arrows


def diagram(
    names: Iterable[str], arrows: set[Arrow], *, start: str, ends: Iterable[str] = (), direction: str = "TB"
) -> str:
    """A Mermaid block: one line per pair of places, labelled with all that leads from the one to the other."""
    names = list(names)
    order = [*GROUPS, *names]
    pairs = {(source, target) for source, _, target in arrows}
    lines = ["```mermaid", "stateDiagram-v2", f"    direction {direction}", f"    [*] --> {start}"]
    lines += _nested(frozenset(names), "    ")
    for source, target in sorted(pairs, key=lambda pair: (order.index(pair[0]), order.index(pair[1]))):
        label = words(trigger for come, trigger, go in arrows if (come, go) == (source, target))
        lines.append(f"    {source} --> {target}: {label}")
    return "\n".join([*lines, *(f"    {end} --> [*]" for end in ends), "```"])


def words(triggers: Iterable[str]) -> str:
    """Triggers as a label, in the order of the table; those that go together by one name."""
    left = set(triggers)
    said = []
    for name, together in TOGETHER.items():
        if together <= left:
            left -= together
            said.append(name)
    order: list[str] = [*Trigger, *states.LinkSignal]
    return ", ".join([*sorted(left, key=order.index), *said])


def meanings(kind: type[StrEnum]) -> dict[str, str]:
    """What each member means: the ``#:`` comment behind it in states.py."""
    text = Path(str(states.__file__)).read_text(encoding="utf-8")
    body = next(n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == kind.__name__)
    found = {}
    for node in body.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            line = text.splitlines()[node.lineno - 1]
            found[str(kind[node.targets[0].id])] = line.partition("#:")[2].strip()
    return found


def table(kind: type[StrEnum], heading: str, staying: set[Arrow] | None = None) -> str:
    """Every member of ``kind`` and its meaning; with ``staying`` also what may leave it as it is."""
    lines = [f"| {heading} | means |", "|---|---|"]
    if staying is not None:
        lines = [f"{lines[0]} stays so after |", f"{lines[1]}---|"]
    for name, meaning in meanings(kind).items():
        line = f"| {name} | {meaning} |"
        if staying is not None:
            line += f" {words(trigger for come, trigger, _ in staying if come == name)} |"
        lines.append(line)
    return "\n".join(lines)


def section() -> str:
    """All that stands between the marks."""
    arrows = status_arrows()
    staying = {arrow for arrow in arrows if arrow[0] == arrow[2]}
    together = "; ".join(
        f"*{name}* is any of: {', '.join(t for t in Trigger if t in parts)}"
        for name, parts in TOGETHER.items()
    )
    return "\n\n".join(
        [
            diagram(Status, lifted(arrows - staying), start=Status.IDLE),
            f"An arrow from a frame holds for everything inside it. {together}.",
            table(Status, "status", staying),
            "One link, of which there are two while one replaces the other:",
            diagram(
                LinkState, link_arrows(), start=LinkState.OPENING, ends=[LinkState.CLOSING], direction="LR"
            ),
            table(LinkState, "link"),
        ]
    )


def _nested(
    names: frozenset[str], indent: str, around: frozenset[Status] = frozenset(Status)
) -> Iterator[str]:
    """The frames of the groups that lie directly inside ``around``, with what they hold."""
    inner = {
        group: members
        for group, members in GROUPS.items()
        if members < around
        and members <= names
        and not any(members < other < around for other in GROUPS.values())
    }
    for group, members in inner.items():
        yield f"{indent}state {group} {{"
        deeper = list(_nested(names, f"{indent}    ", members))
        framed = frozenset[Status]().union(*(other for other in GROUPS.values() if other < members))
        yield from (f"{indent}    {status}" for status in Status if status in members - framed)
        yield from deeper
        yield f"{indent}}}"


def main() -> None:
    """Bring docs/states.md up to date."""
    page = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(rewritten(page, "states", section()), encoding="utf-8")


if __name__ == "__main__":
    main()
