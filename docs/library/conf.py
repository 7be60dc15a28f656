"""How Sphinx makes the site of these documents (`make docs`). Nothing in it is fetched from another host."""

import re

from sphinx.application import Sphinx

import kizuna

project = "Kizuna"
author = "The Kizuna authors"
version = release = kizuna.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"Kizuna {version}"
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 3  # links such as servers.md#close-codes work as they do on the code's host
autodoc_member_order = "bysource"
autodoc_mock_imports = ["js", "pyodide"]
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

#: Pages that are linked to and come later: until then their links are text.
PENDING = ("quickstart", "testing", "versions")


def add_contents(app: Sphinx, name: str, text: list[str]) -> None:
    """Make the table of contents of the links in the list of index.md: they are written once."""
    for page in PENDING:
        if page not in app.project.docnames:
            text[0] = re.sub(rf"\[([^]]+)\]\({page}\.md[^)]*\)", r"\1", text[0])
    if name == "index":
        pages = re.findall(r"^- \[.+?\]\((\w+)\.md\)", text[0], re.MULTILINE)
        text[0] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("source-read", add_contents)
