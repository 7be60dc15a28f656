"""The catalogue of the page's language."""

from __future__ import annotations

from pathlib import Path

import js

from ui.kit.texts import LANGUAGES, Texts, read_catalogue

#: Where pyscript.toml puts static/i18n/.
FOLDER = Path(__file__).parents[2] / "i18n"


def page_texts(folder: Path = FOLDER) -> Texts:
    """Return the texts of the language that static/boot/boot.js chose (``?lang=``, else the browser's)."""
    chosen = js.document.documentElement.lang
    language = chosen if chosen in LANGUAGES else "en"
    plurals, numbers = js.Intl.PluralRules.new(language), js.Intl.NumberFormat.new(language)
    return Texts(
        read_catalogue(folder, language),
        language,
        fallback=read_catalogue(folder, "en"),
        plural=plurals.select,
        number=numbers.format,
    )
