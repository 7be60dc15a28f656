"""The text of a frame, with the object that was read in it."""

import json

import pytest

from backend.gateway.events import FrameText, frame_in
from chat.protocol import MalformedFrame, decode


def test_the_json_of_a_frame_is_read_once(monkeypatch):
    reads = []

    def read(body):
        reads.append(body)
        return decode(body)

    monkeypatch.setattr("backend.gateway.events.decode", read)
    body = FrameText.read('{"action":"echo"}')
    assert frame_in(body) == frame_in(body) == {"action": "echo"}
    assert reads == ['{"action":"echo"}']


def test_a_text_that_was_read_is_still_the_text_of_an_event():
    body = FrameText.read('{"action":"echo"}')
    assert isinstance(body, str)
    assert json.dumps({"body": body}) == json.dumps({"body": '{"action":"echo"}'})


def test_a_text_from_api_gateway_is_read_when_it_is_needed():
    assert frame_in('{"action":"echo"}') == {"action": "echo"}
    with pytest.raises(MalformedFrame):
        frame_in(FrameText.read("{"))
