"""The wires of two servers."""

from __future__ import annotations

from typing import Any

import pytest

from kizuna.wire import ARTICLE, KIZUNA, FrameKind


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("ready", FrameKind.READY),
        ("pong", FrameKind.PONG),
        ("bye", FrameKind.BYE),
        ("message", FrameKind.OTHER),
        (None, FrameKind.OTHER),
        (["ready"], FrameKind.OTHER),
        ({}, FrameKind.OTHER),
        (1, FrameKind.OTHER),
    ],
)
def test_kizunas_words_have_their_meaning_and_all_others_none(word: Any, meaning: FrameKind):
    assert KIZUNA.kind_of({"type": word}) is meaning


@pytest.mark.parametrize("frame", [{}, {"type": None}, {"type": "ready"}, {"type": "pong"}, {"type": "bye"}])
def test_the_articles_server_has_no_words_of_its_own(frame: dict[str, Any]):
    assert ARTICLE.kind_of(frame) is FrameKind.OTHER


def test_a_ping_carries_milliseconds_where_they_come_back():
    assert KIZUNA.ping_data(1.2345) == {"t": 1234}
    assert ARTICLE.ping_data(1.2345) == {}
