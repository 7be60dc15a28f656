"""The catalogue of the page's language, as the browser has it."""

from __future__ import annotations

from pathlib import Path

import js

from ui.kit.texts import LANGUAGES, Texts, read_catalogue

#: Where pyscript.toml puts static/i18n/: beside the packages.
FOLDER = Path(__file__).parents[2] / "i18n"


def page_texts(folder: Path = FOLDER) -> Texts:
    """The words in the language that static/boot/boot.js chose (``?lang=``, else the browser's), or in English."""
    chosen = js.document.documentElement.lang
    language = chosen if chosen in LANGUAGES else "en"
    plurals = js.Intl.PluralRules.new(language)
    return Texts(
        read_catalogue(folder, language),
        language,
        fallback=read_catalogue(folder, "en"),
        plural=plurals.select,
    )
