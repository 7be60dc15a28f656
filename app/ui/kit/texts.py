"""Every visible word, from one catalogue per language (static/i18n)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

#: Key to text; a text that depends on a number is a mapping from plural category ("one", "other") to text.
Catalogue = Mapping[str, str | Mapping[str, str]]

LANGUAGES = ("en", "ja")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def read_catalogue(folder: Path, language: str) -> Catalogue:
    """The catalogue of ``language`` in ``folder``."""
    catalogue: Catalogue = json.loads((folder / f"{language}.json").read_text(encoding="utf-8"))
    return catalogue


def placeholders(text: str | Mapping[str, str]) -> set[str]:
    """The names that a text, or any of its plural forms, leaves open."""
    forms = (text,) if isinstance(text, str) else text.values()
    return {name for form in forms for name in _PLACEHOLDER.findall(form)}


class Texts:
    """Responsible for the words of one language. A key it lacks is taken from ``fallback``, the English catalogue.

    ``plural`` says which category a number belongs to; in the page that is ``Intl.PluralRules``.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        language: str,
        *,
        fallback: Catalogue | None = None,
        plural: Callable[[float], str] = lambda number: "one" if number == 1 else "other",
    ) -> None:
        self.language = language
        self._catalogue = catalogue
        self._fallback = fallback or {}
        self._plural = plural

    def __call__(self, key: str, **params: str | int) -> str:
        """The text of ``key`` with ``params`` in their places; ``count`` chooses the plural form."""
        text = self._catalogue.get(key, self._fallback.get(key))
        if text is None:
            return key  # the tests find this; a person is better served by a strange word than by no page
        if not isinstance(text, str):
            form = self._plural(int(params.get("count", 0)))
            text = text.get(form) or text["other"]
        return _PLACEHOLDER.sub(lambda match: str(params.get(match[1], match[0])), text)

    def has(self, key: str) -> bool:
        """Whether there is a text for ``key`` in either catalogue."""
        return key in self._catalogue or key in self._fallback
