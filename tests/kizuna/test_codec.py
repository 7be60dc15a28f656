"""Codecs: what a frame is, in both directions, and what each refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from kizuna.codec import BYTES, JSON, JSON_OBJECTS, TEXT, Codec
from kizuna.wire import PLAIN
from tests.kizuna.service_harness import ServiceHarness


class Number:
    """A codec as a user writes one."""

    def encode(self, value: int) -> bytes:
        return value.to_bytes(4, "big")

    def decode(self, data: str | bytes) -> int:
        if isinstance(data, str):
            raise ValueError  # without a word
        return int.from_bytes(data, "big")


@pytest.mark.parametrize(
    ("codec", "value", "data"),
    [
        (JSON, {"a": ["絆", None, 1.5]}, '{"a":["絆",null,1.5]}'),
        (JSON, [1], "[1]"),
        (JSON, "text", '"text"'),
        (JSON, None, "null"),
        (JSON_OBJECTS, {"a": 1}, '{"a":1}'),
        (TEXT, "as it is", "as it is"),
        (BYTES, b"\x00\xff", b"\x00\xff"),
        (Number(), 258, b"\x00\x00\x01\x02"),
    ],
)
async def test_a_value_goes_out_and_comes_in_as_the_codec_says(
    codec: Codec[Any], value: Any, data: str | bytes
):
    harness = ServiceHarness(codec=codec, wire=PLAIN)
    frames: list[Any] = []
    harness.service.on_message(frames.append)
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    sent: list[str | bytes] = []
    harness.socket.send = sent.append  # type: ignore[method-assign,assignment]
    harness.service.send(value)
    harness.socket.receive(data)
    assert (sent, frames) == ([data], [value])
    assert harness.service.journal.entries[-1].event == "frame received: ? (link 1)"
    harness.service.disconnect()


def test_json_is_read_from_bytes_as_well() -> None:
    assert JSON.decode('{"a": "絆"}'.encode()) == {"a": "絆"}


def test_bytes_may_be_of_any_kind() -> None:
    assert [BYTES.encode(value) for value in (bytearray(b"a"), memoryview(b"b"))] == [b"a", b"b"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("codec", "data", "problem"),
    [
        (JSON, "nonsense", "not valid JSON"),
        (JSON, b"\xff", "not UTF-8"),
        (JSON, "[" * 100, "levels deep"),
        (JSON_OBJECTS, "[1]", "not a JSON object"),
        (JSON_OBJECTS, b"{}", "a binary frame"),
        (TEXT, b"bytes", "a binary frame"),
        (BYTES, "text", "a text frame"),
        (Number(), "text", "ValueError"),
    ],
)
async def test_what_a_codec_refuses_is_a_malformed_frame(codec: Codec[Any], data: str | bytes, problem: str):
    harness = ServiceHarness(codec=codec, wire=PLAIN)
    problems: list[str] = []
    harness.service.on_malformed_frame(problems.append)
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    harness.socket.receive(data)
    (heard,) = problems
    assert problem in heard
    assert harness.service.statistics().frames_malformed == 1
    harness.service.disconnect()


@pytest.mark.parametrize(
    ("codec", "value", "error"),
    [
        (JSON, date(2026, 1, 1), TypeError),
        (JSON, math.nan, ValueError),
        (TEXT, b"bytes", TypeError),
        (BYTES, "text", TypeError),
    ],
)
async def test_what_cannot_be_sent_raises_and_sends_nothing(
    codec: Codec[Any], value: Any, error: type[Exception]
):
    harness = ServiceHarness(codec=codec, wire=PLAIN)
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    with pytest.raises(error):
        harness.service.send(value)
    assert harness.socket.sent == []
    harness.service.disconnect()


async def test_a_preparation_sends_values_too() -> None:
    harness = ServiceHarness(codec=TEXT, wire=PLAIN)
    harness.service.before_connected(lambda link: link.send("hello"))
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    assert harness.socket.sent == ["hello"]
    harness.service.disconnect()


async def test_a_message_of_the_article_is_json_whatever_the_codec() -> None:
    harness = ServiceHarness(codec=TEXT, wire=PLAIN)
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    data: Mapping[str, Any] = {"text": "こんにちは"}
    harness.service.send_message("say", data)
    assert harness.socket.sent == [{"action": "say", **data}]
    harness.service.disconnect()
