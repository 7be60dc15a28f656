"""Both languages of the demo say everything, and nothing is left over."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.protocol import check_person_name
from tests.demo.demo_page import CATALOGUES
from ui.kit.texts import LANGUAGES, placeholders, read_catalogue

ROOT = Path(__file__).parents[2]
ENGLISH = read_catalogue(CATALOGUES, "en")
KEY = re.compile(r"[a-z]+(\.[a-z_]+)?")


def literals() -> Iterator[str]:
    for path in (*(ROOT / "app" / "demo").glob("*.py"), ROOT / "app" / "ui" / "shell" / "demo_line.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY.fullmatch(node.value):
                yield node.value


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts(language: str):
    catalogue = read_catalogue(CATALOGUES, language)
    assert catalogue.keys() == ENGLISH.keys()
    assert {key: placeholders(text) for key, text in catalogue.items()} == {
        key: placeholders(text) for key, text in ENGLISH.items()
    }
    assert set(CATALOGUES.glob("*.json")) == {CATALOGUES / f"{each}.json" for each in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guests_name_is_one_that_may_join(language: str):
    guest = read_catalogue(CATALOGUES, language)["guest"]
    assert check_person_name("name", guest) == guest


def test_every_text_is_used():
    assert ENGLISH.keys() <= set(literals())


def test_no_text_is_too_long_for_a_phone():
    texts = json.dumps(ENGLISH, ensure_ascii=False)
    assert max(map(len, re.findall(r'"((?:[^"\\]|\\.)*)"', texts))) <= 200
