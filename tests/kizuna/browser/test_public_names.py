"""What the browser's module exports speaks of names that a user can import."""

import importlib
from typing import Any

import kizuna
from tests.kizuna.public_names import names_in_signatures


def test_the_names_in_the_browsers_signatures_can_be_imported(js: Any):
    browser = importlib.import_module("kizuna.browser")
    assert all(hasattr(browser, name) for name in browser.__all__)
    assert names_in_signatures(browser) - set(kizuna.__all__) - set(browser.__all__) == set()
