"""How Sphinx makes the site of these documents (`make docs`). Nothing in it is fetched from another host."""

import ast
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

import kizuna

project = "Kizuna"
author = "The Kizuna authors"
version = release = kizuna.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
suppress_warnings = ["misc.highlighting_failure"]  # Python inside of HTML is highlighted as JavaScript
html_theme = "furo"
html_title = f"Kizuna {version}"
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 3  # links such as servers.md#close-codes work as they do on the code's host
autodoc_member_order = "bysource"
autodoc_mock_imports = ["js", "pyodide"]
autodoc_preserve_defaults = True  # PLAIN, and not all that it is made of
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"


def read_source(app: Sphinx, name: str, text: list[str]) -> None:
    """Make text of links to files that the site does not have, and the table of contents of the list in index.md."""
    text[0] = re.sub(r"\[([^]]+)\]\(\.\./[^)]*\)", r"\1", text[0])
    if name == "index":
        pages = re.findall(r"^- \[.+?\]\((\w+)\.md\)", text[0], re.MULTILINE)
        text[0] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"


class Comments:
    """The comments beside attributes and constants, as they are written.

    Napoleon takes the beginning of `open but doubted: ...` for a type, and for a constant that a package exports from
    one of its modules autodoc finds the text of its class.
    """

    def __init__(self) -> None:
        self._modules = modules_of_exports(Path(kizuna.__file__))
        self._lines: list[str] = []

    def keep(
        self, app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
    ) -> None:
        """Remember the comment, before Napoleon."""
        if what == "module":  # its text is a program for those who read the source
            lines.clear()
        package, _, constant = name.rpartition(".")
        if what == "data" and package == "kizuna" and constant in self._modules:
            comments = ModuleAnalyzer.for_module(self._modules[constant]).find_attr_docs()
            lines[:] = comments.get(("", constant), [])
        self._lines = list(lines)

    def restore(
        self, app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
    ) -> None:
        """Put the comment back, after Napoleon."""
        if what in ("attribute", "data"):
            lines[:] = [line for line in self._lines if not line.startswith("Alias for field number")]


def modules_of_exports(package: Path) -> dict[str, str]:
    """Return which module each name that a package exports comes from."""
    return {
        name.name: node.module
        for node in ast.parse(package.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module
        for name in node.names
    }


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    comments = Comments()
    app.connect("source-read", read_source)
    app.connect("autodoc-process-docstring", comments.keep, priority=400)  # Napoleon's is 500
    app.connect("autodoc-process-docstring", comments.restore, priority=600)
