"""The list of files that PyScript fetches is the tree's."""

import ast
import re
from pathlib import Path

import pytest

from tools.build.page_files import ROOT, demo_files, page_files, rewritten


def test_pyscript_fetches_every_module_and_catalogue_and_nothing_else():
    settings = (ROOT / "pyscript.toml").read_text(encoding="utf-8")
    assert settings == rewritten(settings, page_files(ROOT)), "run `make files`"


def test_modules_and_catalogues_of_a_tree_are_listed(tmp_path: Path):
    for path in (
        *("app/main.py", "app/ui/page.py", "app/ui/notes.txt", "static/i18n/ja.json", "static/a.json"),
        *("app/kizuna/__main__.py", "app/kizuna/aio/__init__.py"),  # for CPython alone
        "app/kizuna/testing/pytest_plugin.py",  # for pytest alone
        "app/kizuna/testing/conformance/checks.py",  # on CPython
        *("app/demo/__init__.py", "static/i18n/demo/ja.json"),  # for the demo alone
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert page_files(tmp_path) == {
        "app/main.py": "./main.py",
        "app/ui/page.py": "./ui/page.py",
        "static/i18n/ja.json": "./i18n/ja.json",
    }
    assert demo_files(tmp_path) == {
        "app/demo/__init__.py": "demo/__init__.py",
        "static/i18n/demo/ja.json": "i18n/demo/ja.json",
    }


def test_main_names_every_file_of_the_demo():
    found = re.search(r"^DEMO_FILES = (\(.*?^\))", (ROOT / "app" / "main.py").read_text(), re.S | re.M)
    assert found
    assert list(ast.literal_eval(found[1])) == list(demo_files(ROOT))


def test_only_the_list_is_rewritten():
    settings = 'interpreter = "x"\n\n[files]\n"app/old.py" = "./old.py"\n'
    assert rewritten(settings, {"a": "b"}) == 'interpreter = "x"\n\n[files]\n"a" = "b"\n'
    with pytest.raises(ValueError, match="no \\[files\\]"):
        rewritten("interpreter = 1\n", {})
