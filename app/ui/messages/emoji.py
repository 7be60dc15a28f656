"""Messages of a few emoji and nothing else, which are shown larger."""

from __future__ import annotations

import re

#: More are a text.
MAX_EMOJI = 6
#: The longest emoji, a family with skin tones, has so many characters.
_MAX_CHARACTERS = 16

_ONE = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    "|[0-9#*]\ufe0f?\u20e3"  # a keycap
    "|[\u231a-\u23ff\u2600-\u27bf\u2934-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
    "[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*)"
)
_ONLY = re.compile(rf"(?:{_ONE}(?:\u200d{_ONE})*\s*){{1,{MAX_EMOJI}}}")


def is_emoji_only(text: str) -> bool:
    """Return whether ``text`` is up to MAX_EMOJI emoji, with or without spaces between them."""
    return len(text) <= MAX_EMOJI * _MAX_CHARACTERS and _ONLY.fullmatch(text) is not None
