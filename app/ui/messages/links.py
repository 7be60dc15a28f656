"""Links in messages: web addresses in plain text of any script."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chat.names import INVISIBLE

#: More or longer ones stay text: each link is an element in the page.
MAX_LINKS = 50
MAX_LINK_CHARACTERS = 2000

#: Not in an address: spaces, quotes, punctuation of all scripts, and characters that are invisible or turn text around.
_NEVER = (
    rf"\s<>\"'`{{}}|\\^{INVISIBLE}\xab\xbb\u037e\u0589\u05be\u05f3\u05f4\u060c\u061b\u061f\u06d4\u0964\u0965\u0f0d\u0f0e"
    r"\u104a\u104b\u1361-\u1368\u17d4-\u17d6\u2000-\u206f\u2e00-\u2e7f\u3000-\u303f\ufe10-\ufe1f\ufe30-\ufe4f\uff01-\uff0f"
    r"\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
#: Letters of sentences without spaces: all but Latin, Greek, Cyrillic and Armenian ones. They belong to an address
#: after "/", "." or "=", and end it after a Latin letter or a digit.
_OTHER_SCRIPT = r"\u0590-\u1dff\u2070-\U0010ffff"

_LINK = re.compile(
    # Case is ignored in the scheme only: in a class "k" would match a letter above U+2070, the Kelvin sign.
    rf"(?<![A-Za-z0-9])(?i:https?://|mailto:|www\.(?=[A-Za-z0-9]))(?:[^{_NEVER}{_OTHER_SCRIPT}]|(?<![A-Za-z0-9])[^{_NEVER}\x00-\u058f])+"
    r"|(?<![\w.+%@-])[A-Za-z0-9_][A-Za-z0-9_.+%-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}(?![\w@-])"
)
#: A valid address. One with a user name before the host is not a link, since it looks like another host.
_LEADS = re.compile(
    r"mailto:.|(?:https?://|www\.[^/?#@.]+\.)[^/?#@]+(?:[/?#]|\Z)|[^:/?#@]+@[^:/?#@]+\Z", re.IGNORECASE
)
#: What is in front of an address that was written without it.
_WITHOUT_SCHEME = re.compile(r"(?P<web>www\.)|(?P<mail>[^:/?#@]+@)", re.IGNORECASE)
#: "https://example.org/" before hiragana, which are particles of the sentence and rarely part of an address.
_ROOT = re.compile(r"https?://[^/?#]+/(?=[\u3041-\u309f])", re.IGNORECASE)
_PUNCTUATION = ".,:;!?*_~"
_CLOSING = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text; ``link`` is its address, if it is one."""

    text: str
    link: str | None = None


def pieces(text: str) -> list[Piece]:
    """Split ``text`` into pieces that together are ``text`` again."""
    found: list[Piece] = []
    if ":" not in text and "@" not in text and "www." not in text:  # most texts
        return [Piece(text)]
    at = links = 0
    for match in _LINK.finditer(text):
        address = _address(match[0])
        if not address:
            continue
        if match.start() > at:
            found.append(Piece(text[at : match.start()]))
        found.append(Piece(address, _with_scheme(address)))
        at = match.start() + len(address)
        links += 1
        if links == MAX_LINKS:
            break
    if at < len(text) or not found:
        found.append(Piece(text[at:]))
    return found


def _with_scheme(address: str) -> str:
    match = _WITHOUT_SCHEME.match(address)
    if match is None:
        return address
    return ("https://" if match["web"] else "mailto:") + address


def _address(found: str) -> str:
    """Return the part that is the address; may be empty."""
    root = _ROOT.match(found)
    address = _without_punctuation(root[0] if root else found)
    return address if len(address) <= MAX_LINK_CHARACTERS and _LEADS.match(address) else ""


def _without_punctuation(address: str) -> str:
    """Remove punctuation at the end, and closing brackets without an opening one."""
    unopened = {
        closing: address.count(closing) - address.count(opening) for closing, opening in _CLOSING.items()
    }
    end = len(address)
    while end:
        last = address[end - 1]
        if unopened.get(last, 0) > 0:
            unopened[last] -= 1
        elif last not in _PUNCTUATION:
            break
        end -= 1
    return address[:end]
