"""The texts of the page, from one catalogue per language (static/i18n)."""

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
    """Return the catalogue of ``language`` in ``folder``."""
    catalogue: Catalogue = json.loads((folder / f"{language}.json").read_text(encoding="utf-8"))
    return catalogue


def placeholders(text: str | Mapping[str, str]) -> set[str]:
    """Return the names of the placeholders in a text, or in any of its plural forms."""
    forms = (text,) if isinstance(text, str) else text.values()
    return {name for form in forms for name in _PLACEHOLDER.findall(form)}


class Texts:
    """The texts of one language. A missing key is taken from ``fallback``, the English catalogue.

    ``plural`` returns the plural category of a number, ``number`` its text; in the page both are those of ``Intl``.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        language: str,
        *,
        fallback: Catalogue | None = None,
        plural: Callable[[float], str] = lambda number: "one" if number == 1 else "other",
        number: Callable[[int], str] = str,
    ) -> None:
        self.language = language
        self._catalogue = catalogue
        self._fallback = fallback or {}
        self._plural = plural
        self._number = number

    def __call__(self, key: str, **params: str | int) -> str:
        """Return the text of ``key`` with ``params`` inserted; ``count`` selects the plural form."""
        text = self._catalogue.get(key, self._fallback.get(key))
        if text is None:
            return key  # the tests find this; for a person it is better than no page
        if not isinstance(text, str):
            form = self._plural(int(params.get("count", 0)))
            text = text.get(form) or text["other"]
        return _PLACEHOLDER.sub(lambda match: self._written(params.get(match[1], match[0])), text)

    def _written(self, value: str | int) -> str:
        return value if isinstance(value, str) else self._number(value)

    def has(self, key: str) -> bool:
        """Return whether there is a text for ``key`` in either catalogue."""
        return key in self._catalogue or key in self._fallback
