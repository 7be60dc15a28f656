"""Rules of the field that one writes in."""

from __future__ import annotations

from collections.abc import Collection

from chat.protocol import MAX_CONTENT_BYTES

IME_KEY_CODE = 229  #: WebKit reports the Enter that ends a composition after its end, but with this code
BUSY_AFTER = 0.3  #: seconds that keeping a message may take before anybody is told
MAX_KIB = 64  #: of UTF-8 that the field takes; with megabytes in it a browser takes a second for each key
_MAX_BYTES = MAX_KIB * 1024
_COUNTED_FROM = MAX_CONTENT_BYTES * 3 // 4
_MAX_BYTES_PER_CHARACTER = 4
_TEXTS = frozenset({"text/plain", "text/uri-list"})  #: what a field takes, as drops and the clipboard name it
_PAGES = frozenset({"Files", "text/uri-list"})  #: what a browser opens when the page does not take it


def is_send_key(
    key: str,
    *,
    shift: bool = False,
    control: bool = False,
    alt: bool = False,
    composing: bool,
    key_code: int,
    coarse: bool,
) -> bool:
    """Whether this key sends the message, and never an input method's Enter: Enter alone, or with Ctrl or Cmd.

    Keyboards on a touch screen (``coarse``) have no Shift+Enter, and iOS holds Shift down after a full stop: there
    Enter breaks the line, as its key says, and the button sends.
    """
    if key != "Enter" or composing or key_code == IME_KEY_CODE or shift or alt:
        return False
    return control or not coarse


def is_composing_after(event: str, is_composing: bool | None, before: bool) -> bool:
    """Whether an input method is at work after this event.

    Every event of the field is asked: the end is not told by each input method, nor when the field is written to.
    ``is_composing`` is what the event itself says; None: it says nothing, as one that a script made up.
    """
    if event == "compositionstart":
        return True
    if event in ("compositionend", "blur"):
        return False
    return before if is_composing is None else is_composing


def fits(text: str) -> bool:
    """Whether the field takes so much text. Counts bytes only where the number of characters leaves it open."""
    if len(text) * _MAX_BYTES_PER_CHARACTER <= _MAX_BYTES:
        return True
    return len(text) <= _MAX_BYTES and _size(text) <= _MAX_BYTES


def fits_with(text: str, start: int, end: int, inserted: str) -> bool:
    """Whether it takes ``inserted`` instead of what stands between two positions, as JavaScript counts them."""
    if fits(text + inserted):
        return True
    before, behind = characters_in(text, start), characters_in(text, end)
    return fits(text[:before] + inserted + text[behind:])


def cut(text: str) -> str:
    """The beginning of ``text``, as much as the field takes."""
    return text if fits(text) else text.encode("utf-8", "replace")[:_MAX_BYTES].decode("utf-8", "ignore")


def has_only_files(types: Collection[str]) -> bool:
    """Whether what is dropped or pasted has files in it, and no text that a field could take."""
    return "Files" in types and _TEXTS.isdisjoint(types)


def replaces_page(types: Collection[str], *, in_field: bool) -> bool:
    """Whether a browser would show what is dropped instead of the page: a file, or a link beside a field."""
    return has_only_files(types) or (not in_field and not _PAGES.isdisjoint(types))


def trimmed(text: str) -> str:
    """What is sent of what was typed: without empty lines around it and spaces behind it. May be empty."""
    return text.strip("\n").rstrip() if text.strip() else ""


def bytes_left(text: str) -> int | None:
    """How many bytes more the message may take, negative when it is too long; None while that is far away."""
    if len(text) * _MAX_BYTES_PER_CHARACTER < _COUNTED_FROM:
        return None
    size = _size(text)
    return MAX_CONTENT_BYTES - size if size >= _COUNTED_FROM else None


def units_of(text: str) -> int:
    """The length of ``text`` as JavaScript counts it: an emoji is two."""
    return len(text) + sum(character > "\uffff" for character in text)


def characters_in(text: str, units: int) -> int:
    """How many characters the first ``units`` of ``text`` are, as JavaScript counts them."""
    count = 0
    for character in text:
        units -= units_of(character)
        if units < 0:
            break
        count += 1
    return count


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


class BusyDelay:
    """Responsible for when waiting has taken long enough to be worth telling."""

    def __init__(self, delay: float) -> None:
        """``patience``: seconds."""
        self._delay = delay
        self._since: float | None = None

    def update(self, waiting: bool, now: float) -> tuple[bool, float | None]:
        """Whether it has; and when to be called again though nothing changes."""
        if not waiting:
            self._since = None
            return False, None
        if self._since is None:
            self._since = now
        until = self._since + self._delay
        return (True, None) if now >= until else (False, until)
