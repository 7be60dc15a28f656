"""Both languages say everything, and the page asks for nothing else."""

import ast
import json
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TypeVar

import pytest

from chat.identity import PROBLEMS
from chat.protocol import REFUSED, InvalidField
from chat.store import ChatState, NoticeKind
from chat.timeline import Delivery
from kizuna import Statistics, Status
from kizuna.core.states import ReasonKind
from kizuna.delivery import DeliveryStatistics
from kizuna.delivery.catch_up import FORBIDDEN
from kizuna.testing import Fault
from ui.inspector.figures import CLOSE_CODES, count_figures, state_figures
from ui.inspector.tour import STEPS, key_of
from ui.kit.texts import LANGUAGES, Texts, placeholders, read_catalogue

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "static" / "i18n"
CATALOGUES = {language: read_catalogue(FOLDER, language) for language in LANGUAGES}
ENGLISH = CATALOGUES["en"]
#: Plural categories that each language has.
FORMS = {"en": {"one", "other"}, "ja": {"other"}}

E = TypeVar("E", bound=Enum)

#: Calls whose literals become keys, and the position of that argument.
LITERALS = {"Failure": 0, "InvalidName": 1, "InvalidField": 2}
#: Codes with which this project's server refuses a message for good.
FINAL_NACKS = (FORBIDDEN, InvalidField.code)


def trees(folder: str) -> Iterator[ast.Module]:
    for path in (ROOT / "app" / folder).rglob("*.py"):
        yield ast.parse(path.read_text(encoding="utf-8"))


def literals(name: str) -> Iterator[str]:
    """The texts that chat and delivery pass to these calls: codes of failures, reasons of refusals."""
    folders = ("chat", "kizuna/delivery")
    for node in (node for folder in folders for tree in trees(folder) for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            value = node.args[LITERALS[name]] if len(node.args) > LITERALS[name] else None
            if called == name and isinstance(value, ast.Constant):
                yield str(value.value)


def members(enum: type[E], *folders: str) -> Iterator[E]:
    """The members of an enumeration that the code of these folders names."""
    for node in (node for folder in folders for tree in trees(folder) for node in ast.walk(tree)):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == enum.__name__
        ):
            yield enum[node.attr]


def keys_in_code() -> Iterator[str]:
    """Keys that app/ui and index.html ask for by name."""
    for node in (node for tree in trees("ui") for node in ast.walk(tree)):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", value):
            yield value
    html = (ROOT / "index.html").read_text(encoding="utf-8")
    yield from re.findall(r'data-(?:text|label|title|placeholder)="([^"]+)"', html)


def keys_made_up() -> Iterator[str]:
    """Keys that are put together while the page runs."""
    yield from (f"notice.{kind}" for kind in members(NoticeKind, "chat", "ui/composer"))
    yield from (f"reason.{kind}" for kind in members(ReasonKind, "kizuna"))
    yield from (f"reason.{problem}" for problem in PROBLEMS.values())
    yield from (f"failure.{code}" for code in (*literals("Failure"), *FINAL_NACKS))
    yield from (
        f"problem.{reason}" for reason in (REFUSED, *literals("InvalidField"), *literals("InvalidName"))
    )
    yield from (f"delivery.{state}" for state in Delivery if state is not Delivery.RECEIVED)
    yield from keys_of_the_inspector()


def keys_of_the_inspector() -> Iterator[str]:
    """The same of the inspector."""
    numbers = Statistics(0, 0, 0, 0, 0, 0, 0.0, None, None, None)
    counted = DeliveryStatistics(0, 0, 0, 0, 0, 0, 0)
    figures = state_figures(ChatState(), numbers, None, 0.0, Texts({}, "en")) + count_figures(
        numbers, counted
    )
    yield from (f"figure.{figure.name}" for figure in figures)
    yield from (f"state.{status}{end}" for status in Status for end in ("", ".means"))
    yield from (f"close.{code}" for code in CLOSE_CODES)
    yield from (f"happened.{key}" for key in HAPPENED)
    yield from (f"tour.{key_of(step)}" for step in STEPS)
    yield from (f"break.{key_of(fault)}" for fault in Fault if fault is not Fault.NO_GOODBYE)


#: All that ui.inspector.happenings tells.
HAPPENED = {
    *(
        "attempt",
        "attempt_after",
        "quiet_attempt",
        "connected",
        "failed",
        "failed_code",
        "dropped",
        "dropped_code",
    ),
    *("suspect", "trusted", "rollover", "doubt", "try_now", "bye", "hidden", "shown", "left", "resumed"),
    *("online", "offline_flag", "network", "slept"),
    *("offline", "suspended", "exhausted", "rejected", "closed"),
}

NOT_KEYS = {"kizuna.draft"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys(language: str):
    assert CATALOGUES[language].keys() == ENGLISH.keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ENGLISH)
def test_every_text_leaves_the_same_names_open(language: str, key: str):
    text, english = CATALOGUES[language][key], ENGLISH[key]
    assert isinstance(text, str) == isinstance(english, str)
    forms = [text] if isinstance(text, str) else [*text.values()]
    # "1 message" may say "a message": a plural form may leave its number out, but nothing else.
    for form in forms:
        assert placeholders(form) - {"count"} == placeholders(english) - {"count"}
    assert placeholders(text) == placeholders(english)
    if not isinstance(text, str):
        assert text.keys() == FORMS[language]


@pytest.mark.parametrize("key", sorted({*keys_in_code(), *keys_made_up()} - NOT_KEYS))
def test_every_key_the_page_asks_for_exists(key: str):
    assert key in ENGLISH


def test_no_key_is_left_over():
    assert ENGLISH.keys() <= {*keys_in_code(), *keys_made_up()}


@pytest.mark.parametrize(
    "key", ["failure.forbidden", "problem.marks", "problem.unwieldy", "reason.silence", "notice.only_text"]
)
def test_keys_made_at_run_time_are_found(key: str):
    assert key in set(keys_made_up())


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_are_plain_json_without_duplicates(language: str):
    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        assert len(items) == len(dict(items))
        return dict(items)

    json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"), object_pairs_hook=pairs)


def test_parameters_take_their_places():
    texts = Texts({"greet": "Hello {name}, {name}!"}, "en")
    assert texts("greet", name="{name}") == "Hello {name}, {name}!"
    assert texts("greet", name="Ada") == "Hello Ada, Ada!"
    assert texts("greet") == "Hello {name}, {name}!"


def test_what_a_stranger_wrote_is_no_pattern():
    assert (
        Texts({"say": "{text}"}, "en")("say", text="{0.__class__} {count} %s") == "{0.__class__} {count} %s"
    )


def test_the_number_chooses_the_form():
    texts = Texts({"new": {"one": "{count} thing", "other": "{count} things"}}, "en")
    assert [texts("new", count=count) for count in (0, 1, 2)] == ["0 things", "1 thing", "2 things"]


def test_a_form_that_a_language_lacks_is_the_other_one():
    assert Texts({"new": {"other": "{count}件"}}, "ja", plural=lambda number: "few")("new", count=3) == "3件"


def test_a_missing_text_is_the_english_one_and_then_the_key():
    texts = Texts({"a": ""}, "ja", fallback={"a": "A", "b": "B"})
    assert [texts(key) for key in "abc"] == ["", "B", "c"]
    assert [texts.has(key) for key in "abc"] == [True, True, False]
