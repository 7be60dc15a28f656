"""Tables and listings in docs/library/ that are made from the code. `make docs` writes them and builds the site."""

from __future__ import annotations

from pathlib import Path

from sphinx.pycode import ModuleAnalyzer

from kizuna import ARTICLE, KIZUNA, PLAIN, Status
from kizuna.core.links import Policy, close_policy, close_words
from kizuna.wire import Numbers
from tools.reports import protocol
from tools.reports.documents import ROOT, rewritten, table

LIBRARY = ROOT / "docs" / "library"
WIRES = {"PLAIN": PLAIN, "KIZUNA": KIZUNA, "ARTICLE": ARTICLE}
#: Options that are no seconds.
UNITS = {"max_retries": "attempts", "jitter": "share, 0 to 1", "max_frame_bytes": "bytes"}
#: RFC 6455 and the IANA registry; private codes as libraries use them.
CODES = (*range(1000, 1016), *range(3000, 3100), *range(4000, 4600))

ACTIONS = {
    Policy.RETRY: "retry",
    Policy.RETRY_LATER: "retry after 5 s at least",
    Policy.RENEW_TOKEN: "retry with a new token; a second refusal in a row: stop",
    Policy.STOP: "stop: the status is `rejected`",
}


def options_table() -> str:
    """Return a row for each option: its type, its default by wire, its unit, its meaning."""
    meanings = meanings_in("kizuna.wire", "Numbers")
    defaults = {name: Numbers.of(wire.defaults) for name, wire in WIRES.items()}
    rows = [
        (
            f"`{option}`",
            kind,
            *(f"{getattr(numbers, option):g}" for numbers in defaults.values()),
            UNITS.get(option, "s"),
            meanings[option],
        )
        for option, kind in Numbers.__annotations__.items()
    ]
    return table(["option", "type", *defaults, "unit", "meaning"], rows, words=7)


def statuses_table() -> str:
    """Return a row for each status."""
    meanings = meanings_in(Status.__module__, "Status")
    return table(["status", "means"], [(f"`{each}`", meanings[each.name]) for each in Status], words=2)


def close_codes_table() -> str:
    """Return a row for each close code that is not simply retried, or that has words of its own."""
    rows = [
        (str(code), close_words(code), ACTIONS[close_policy(code)])
        for code in CODES
        if close_policy(code) is not Policy.RETRY or str(code) not in close_words(code)
    ]
    return table(
        ["code", "the reason's words", "what the page does"], [*rows, ("others", "", "retry")], words=3
    )


def worker_listing() -> str:
    """Return the JavaScript of the worker whose timers are on time in a hidden page."""
    source = (ROOT / "static" / "boot" / "ticks.js").read_text(encoding="utf-8")
    return f"```js\n{source}```"


def meanings_in(module: str, name: str) -> dict[str, str]:
    """Return what the comments beside the attributes of a class say, as Sphinx reads them."""
    comments = ModuleAnalyzer.for_module(module).find_attr_docs()
    return {
        attribute: " ".join(lines).strip() for (owner, attribute), lines in comments.items() if owner == name
    }


#: Document -> name of a part of it -> what makes that part.
PARTS = {
    "guide.md": {"options": options_table, "statuses": statuses_table},
    "servers.md": {"close codes": close_codes_table},
    "protocol.md": {
        "conversation": protocol.conversation,
        "frames of clients": protocol.up_table,
        "frames of servers": protocol.down_table,
        "reserved keys": protocol.reserved_list,
        "checks": protocol.checks_table,
        "numbers": protocol.numbers_table,
    },
    "csp.md": {"worker": worker_listing},
}


def current(document: Path) -> str:
    """Return the text of a document with every part of it made anew."""
    page = document.read_text(encoding="utf-8")
    for name, make in PARTS[document.name].items():
        page = rewritten(page, name, make())
    return page


def main() -> None:
    """Bring the documents up to date."""
    for name in PARTS:
        (LIBRARY / name).write_text(current(LIBRARY / name), encoding="utf-8")


if __name__ == "__main__":
    main()
