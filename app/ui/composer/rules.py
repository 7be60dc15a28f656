"""Rules of the message field."""

from __future__ import annotations

from collections.abc import Collection

from chat.names import characters_over
from chat.protocol import MAX_CONTENT_BYTES

IME_KEY_CODE = 229  #: WebKit reports the Enter that ends a composition afterwards, with this code
MAX_KIB = 64  #: the field's limit in UTF-8; with megabytes of text a browser takes a second for each key
_MAX_BYTES = MAX_KIB * 1024
_COUNTED_FROM = MAX_CONTENT_BYTES * 3 // 4
_MAX_BYTES_PER_CHARACTER = 4
_TEXTS = frozenset({"text/plain", "text/uri-list"})  #: types that a field accepts
_PAGES = frozenset(
    {"Files", "text/uri-list"}
)  #: types that a browser opens if the page does not handle the drop


def is_send_key(
    key: str,
    *,
    shift: bool = False,
    control: bool = False,
    alt: bool = False,
    composing: bool,
    key_code: int,
    breaks: bool,
) -> bool:
    """Return whether this key sends the message: Enter alone or with Ctrl or Cmd, but never an input method's Enter.

    ``breaks``: Enter breaks the line, and the button sends. On-screen keyboards have no Shift+Enter, and iOS sets Shift
    after a full stop.
    """
    if key != "Enter" or composing or key_code == IME_KEY_CODE or shift or alt:
        return False
    return control or not breaks


def is_composing_after(event: str, is_composing: bool | None, before: bool) -> bool:
    """Return whether an input method is active after this event.

    To be called with every event of the field, since some input methods do not report their end. ``is_composing``: the
    event's own value, None in an event made by a script. ``before``: the last result.
    """
    if event == "compositionstart":
        return True
    if event in ("compositionend", "blur"):
        return False
    return before if is_composing is None else is_composing


def fits(text: str) -> bool:
    """Return whether the text is within the field's limit. Bytes are counted only if the characters do not decide."""
    if len(text) * _MAX_BYTES_PER_CHARACTER <= _MAX_BYTES:
        return True
    return len(text) <= _MAX_BYTES and _size(text) <= _MAX_BYTES


def fits_with(text: str, start: int, end: int, inserted: str) -> bool:
    """Return whether ``inserted`` fits in place of ``start`` to ``end``, positions in JavaScript's units."""
    if fits(text + inserted):
        return True
    before, behind = characters_in(text, start), characters_in(text, end)
    return fits(text[:before] + inserted + text[behind:])


def cut(text: str) -> str:
    """Return the beginning of ``text`` within the field's limit."""
    return text if fits(text) else text.encode("utf-8", "replace")[:_MAX_BYTES].decode("utf-8", "ignore")


def has_only_files(types: Collection[str]) -> bool:
    """Return whether a drop or paste has files, and no text that a field accepts."""
    return "Files" in types and _TEXTS.isdisjoint(types)


def replaces_page(types: Collection[str], *, in_field: bool) -> bool:
    """Return whether a browser would open a drop in place of the page: a file, or a link outside a field."""
    return has_only_files(types) or (not in_field and not _PAGES.isdisjoint(types))


def trimmed(text: str) -> str:
    """Return a typed text as it is sent: without empty lines around it and spaces at its end. May be empty."""
    return text.strip("\n").rstrip() if text.strip() else ""


def characters_left(text: str) -> int | None:
    """Return about how many characters are left for the message (negative: too long); None below three quarters of the
    limit, which is in bytes."""
    if len(text) * _MAX_BYTES_PER_CHARACTER < _COUNTED_FROM:
        return None
    size = _size(text)
    return -characters_over(text, size, MAX_CONTENT_BYTES) if size >= _COUNTED_FROM else None


def units_of(text: str) -> int:
    """Return the length of ``text`` in JavaScript's units: an emoji has two."""
    return len(text) + sum(character > "\uffff" for character in text)


def characters_in(text: str, units: int) -> int:
    """Return how many characters the first ``units`` of ``text``, in JavaScript's units, are."""
    count = 0
    for character in text:
        units -= units_of(character)
        if units < 0:
            break
        count += 1
    return count


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
