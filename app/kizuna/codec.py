"""Codecs: between the values that an application sends and receives, and the frames on the wire.

    >>> JSON.encode({"say": "絆"}), JSON.decode('[1, 2]'), TEXT.decode("hello")
    ('{"say":"絆"}', [1, 2], 'hello')

Any object with these two methods is a codec. Here is one of numbers:

    >>> class Numbers:
    ...     def encode(self, value: int) -> bytes:
    ...         return value.to_bytes(4, "big")
    ...     def decode(self, data: str | bytes) -> int:
    ...         if isinstance(data, str):
    ...             raise ValueError("a text frame")
    ...         return int.from_bytes(data, "big")
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

#: Levels of nesting that a frame may have: this project's need three. Python's reader calls itself for each level; on
#: WebAssembly too many overflow the stack, which ends the interpreter. So the depth is checked before.
MAX_DEPTH = 64

_OUTSIDE_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?|([\[{])|([\]}])', re.DOTALL)


class NotAFrame(ValueError):
    """The text is not JSON, or not the kind of value that was expected."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse)
#: Reads one value at a place. ``decode()`` looks for space around it by two regular expressions, a third of its time.
_scan = _decoder.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotAFrame("not UTF-8") from None


def _no_text(data: bytes) -> NoReturn:
    raise NotAFrame("a binary frame")


def _reader(kind: type, text_of: Callable[[bytes], str]) -> Callable[[str | bytes], Any]:
    """Return a reader of values of this kind. It is one function, since a call costs a sixth of reading a frame."""

    def read(data: str | bytes) -> Any:
        text = data if isinstance(data, str) else text_of(data)
        # Nearly every frame has few brackets: counting costs nothing.
        if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(text):
            raise NotAFrame(f"nested more than {MAX_DEPTH} levels deep")
        try:
            value, end = _scan(text, 0)
        except (StopIteration, ValueError):
            end = -1
        if end != len(text):  # there is space around it, or something is wrong with it
            value = _decode(text)
        if not isinstance(value, kind):
            raise NotAFrame("not a JSON object")
        return value

    return read


#: Return the JSON object in a text. Raise NotAFrame if it is something else, or nested more than MAX_DEPTH levels deep.
read_frame: Callable[[str | bytes], dict[str, Any]] = _reader(dict, _no_text)
#: Return the JSON value in a text, or in bytes of UTF-8. Raise NotAFrame as read_frame() does.
read_value = _reader(object, _utf8)


def _decode(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except ValueError as error:
        raise NotAFrame(f"not valid JSON: {error}") from None


def _is_too_deep(text: str) -> bool:
    depth = 0
    for match in _OUTSIDE_STRINGS.finditer(text):
        if match[1]:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif match[2]:
            depth -= 1
    return False


if TYPE_CHECKING:  # every type checker knows it; the default is for values of no named codec
    from typing_extensions import TypeVar

    Value = TypeVar("Value", default=Any)
else:
    from typing import TypeVar

    Value = TypeVar("Value")


class Codec(Protocol[Value]):
    """What values are on the wire."""

    def encode(self, value: Value, /) -> str | bytes:
        """Return the frame for ``value``: str is sent as a text frame, bytes as a binary one.

        Raises:
            TypeError, ValueError: No frame can carry ``value``. ``send()`` raises it to its caller.
        """

    def decode(self, data: str | bytes, /) -> Value:
        """Return the value of a frame: str is a text frame, bytes a binary one.

        Raises:
            ValueError: The frame carries no value. It is reported as a malformed frame, with the error's text.
        """


class _Json:
    def encode(self, value: Any, /) -> str:
        return json_text(value)

    decode = staticmethod(read_value)


class _JsonObjects:
    def encode(self, value: Mapping[str, Any], /) -> str:
        return json_text(value)

    decode = staticmethod(read_frame)


class _Text:
    def encode(self, value: str, /) -> str:
        if not isinstance(value, str):
            raise TypeError(f"TEXT sends str, not {type(value).__name__}")
        return value

    def decode(self, data: str | bytes, /) -> str:
        if not isinstance(data, str):
            raise NotAFrame("a binary frame")
        return data


class _Bytes:
    def encode(self, value: bytes, /) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"BYTES sends bytes, not {type(value).__name__}")
        return bytes(value)

    def decode(self, data: str | bytes, /) -> bytes:
        if isinstance(data, str):
            raise NotAFrame("a text frame")
        return data


#: Any value of JSON: sent as text, received as text or bytes.
JSON: Codec[Any] = _Json()
#: JSON objects alone, as text, which is what API Gateway lets through. Everything else is a malformed frame.
JSON_OBJECTS: Codec[Mapping[str, Any]] = _JsonObjects()
#: Text frames as they are. A binary frame is malformed.
TEXT: Codec[str] = _Text()
#: Binary frames as they are. A text frame is malformed.
BYTES: Codec[bytes] = _Bytes()


#: ``json.dumps()`` with these arguments would make an encoder for each frame, which takes half of its time.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def json_text(value: Any) -> str:
    """Return ``value`` as JSON without spaces.

    Raises:
        TypeError: JSON has no such value.
        ValueError: NaN, Infinity, or a value that contains itself.
    """
    try:
        return _encode(value)
    except TypeError as error:
        raise TypeError(f"{error}: JSON has dict, list, str, numbers, bool and None") from None


def message_text(action: str, data: Mapping[str, Any]) -> str:
    """Return ``{"action": action, **data}`` as JSON.

    Raises:
        TypeError: ``action`` is no text, ``data`` no mapping, or JSON has no such value.
        ValueError: ``data`` has an action of its own, or as ``json_text()``.
    """
    if not isinstance(action, str):
        raise TypeError(f"action must be a text, not {type(action).__name__}: send(value) sends any value")
    if not isinstance(data, Mapping):
        raise TypeError(f'data must be a mapping such as {{"text": ...}}, not {type(data).__name__}')
    if "action" in data:
        raise ValueError("data must not have the key 'action': it is the first argument")
    return json_text({"action": action, **data})
