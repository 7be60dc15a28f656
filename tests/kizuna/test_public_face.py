"""The names that users rely on, the errors that they catch, and the examples that they copy."""

from __future__ import annotations

import doctest
import importlib
import inspect
import itertools
import pkgutil
import runpy
import sys
from types import ModuleType, SimpleNamespace
from typing import get_args

import pytest

import kizuna
from kizuna import errors
from kizuna.core import events
from kizuna.core.events import Timer
from kizuna.platform import Record
from kizuna.runtime.journal import Journal
from kizuna.service import WebSocketService
from tests.kizuna.public_names import names_in_signatures


def test_the_names_of_the_package_are_these():
    assert set(kizuna.__all__) == {
        *("connect", "ARTICLE", "KIZUNA", "PLAIN", "Wire", "Options", "Status", "WebSocketService"),
        *("Codec", "JSON", "JSON_OBJECTS", "TEXT", "BYTES"),
        *("ConnectionState", "Reason", "ReasonKind", "Statistics", "JournalEntry"),
        *("Transition", "Trigger", "transitions"),
        *(
            "Frame",
            "FrameStream",
            "FrameKind",
            "Address",
            "GetAddress",
            "Handler",
            "GetAccessToken",
            "LinkHandle",
            "Prepare",
            "Platform",
        ),
        *("Instant", "PageEvent", "PageState", "Socket", "SocketListener", "TimerHandle"),
        *("Numbers", "Store", "Storage", "Locks", "Settings", "ListedSettings"),
        *(
            "KizunaError",
            "ConfigurationError",
            "NotConnected",
            "FrameTooLarge",
            "Overrun",
            "StorageFailed",
            "Unauthorized",
            "TryLater",
        ),
        *("ConnectionFailed", "Exhausted", "Rejected", "Disconnected"),
    }
    assert all(hasattr(kizuna, name) for name in kizuna.__all__)


@pytest.mark.parametrize("name", ["kizuna", "kizuna.aio", "kizuna.testing"])
def test_the_names_in_public_signatures_can_be_imported(name: str):
    module = importlib.import_module(name)
    assert all(hasattr(module, exported) for exported in module.__all__)
    made_by_the_library = {"FrameQueue", "Transport"}  # arguments of FrameStream() and LinkHandle()
    strange = names_in_signatures(module) - set(module.__all__) - set(kizuna.__all__)
    assert strange <= made_by_the_library


def test_every_error_can_be_imported():
    real = {name for name, thing in vars(errors).items() if inspect.isclass(thing)}
    assert real - set(kizuna.__all__) == set()


def test_a_name_that_no_user_can_import_is_noticed():
    module = ModuleType("kizuna.fake")
    module.__all__ = ["Journal"]  # type: ignore[attr-defined]
    module.Journal = Journal  # type: ignore[attr-defined]
    assert "JournalEntry" in names_in_signatures(module)


def test_the_browsers_part_says_on_cpython_what_it_needs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "kizuna.browser", raising=False)
    with pytest.raises(
        ImportError, match="kizuna.browser needs Pyodide, .* tests give it kizuna.testing.Fake"
    ):
        importlib.import_module("kizuna.browser")


def test_the_articles_names_survive_in_pythons_spelling():
    for name in ("connect", "disconnect", "send_message", "on_message", "is_connected"):
        assert callable(getattr(WebSocketService, name))
    assert inspect.iscoroutinefunction(WebSocketService.connect)


def test_every_status_has_its_name_in_the_contract_of_the_page():
    assert [status.value for status in kizuna.Status] == [
        *("idle", "connecting", "connected", "suspect", "waiting"),
        *("offline", "suspended", "exhausted", "rejected", "closed"),
    ]


@pytest.mark.parametrize("error", [errors.Exhausted, errors.Rejected, errors.Disconnected])
def test_every_ending_of_connect_is_one_kind_of_error(error: type[Exception]):
    assert issubclass(error, errors.ConnectionFailed)
    assert issubclass(error, errors.KizunaError)


def test_an_error_says_what_was_wrong_in_words_and_as_data():
    wrong = errors.ConfigurationError("jitter", "must be a number")
    assert (str(wrong), wrong.key, wrong.problem) == (
        "jitter: must be a number",
        "jitter",
        "must be a number",
    )
    assert isinstance(wrong, ValueError)
    large = errors.FrameTooLarge(40_000, 32_768)
    assert (large.size, large.limit) == (40_000, 32_768)
    assert "40,000" in str(large)


def test_the_tree_drawn_at_the_top_of_the_errors_is_the_tree():
    drawn = [line.strip("│├└─ ").split()[0] for line in (errors.__doc__ or "").splitlines() if "─" in line]
    real = [name for name, thing in vars(errors).items() if inspect.isclass(thing) and name != "KizunaError"]
    assert sorted(drawn) == sorted(real)


@pytest.mark.parametrize("kind", [*get_args(events.Event), *get_args(events.Command)])
def test_events_and_commands_are_frozen(kind: type[Record]):
    fields = list(kind._fields)
    one, same = kind(*fields), kind(*fields)
    assert [getattr(one, name) for name in fields] == fields
    assert (one, hash(one), repr(one)) == (same, hash(same), repr(same))
    assert one != tuple(fields)
    for name in [*fields, "other"]:
        with pytest.raises(AttributeError, match="is immutable"):
            setattr(one, name, 1)
        with pytest.raises(AttributeError, match="is immutable"):
            delattr(one, name)


def test_events_and_commands_with_other_types_or_fields_differ():
    kinds = [*get_args(events.Event), *get_args(events.Command)]
    firsts = [kind(*([1] * len(kind._fields))) for kind in kinds]
    assert len({*firsts}) == len(kinds)
    assert all(one != other for one, other in itertools.combinations(firsts, 2))
    assert events.FrameReceived(1, "text") != events.FrameReceived(2, "text")
    assert events.TimerFired(Timer.TICK, throttled=False) == events.TimerFired(Timer.TICK, unread=True)
    assert repr(events.SocketOpened(3)) == "SocketOpened(link=3)"
    wrong: list[tuple[tuple[object, ...], dict[str, object]]] = [((1, 2), {}), ((), {}), ((1,), {"x": 2})]
    for values, named in wrong:
        with pytest.raises(TypeError, match="SocketOpened takes link"):
            events.SocketOpened(*values, **named)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="DoubtRaised takes nothing"):
        events.DoubtRaised(1)


def test_nothing_that_carries_a_token_shows_it():
    assert repr(events.TokenObtained(3, "SECRET")) == "TokenObtained(link=3)"
    assert repr(events.OpenSocket(3, "SECRET")) == "OpenSocket(link=3)"


def test_micropython_is_told_what_the_library_needs(monkeypatch: pytest.MonkeyPatch):
    """A page shows that it is said before another module of the library is imported (tests/e2e/compat)."""
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(name="micropython"))
    with pytest.raises(ImportError, match="Kizuna needs CPython or Pyodide, and this is MicroPython"):
        runpy.run_path(kizuna.__file__)


MODULES = [name for _, name, is_package in pkgutil.iter_modules(kizuna.__path__, "kizuna.") if not is_package]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_are_true(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
