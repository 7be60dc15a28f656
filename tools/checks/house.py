"""Rules for source files, each a function from text to complaints. tests/test_house.py applies them.

import-linter's contracts in pyproject.toml check the imports between packages. Rules read syntax trees and text and
import nothing, since half of the modules run only in a browser.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

MAX_FILE_LINES = 600
LONG_FUNCTION = 40

#: The packages of the page.
PAGE = {"chat", "demo", "kizuna", "ui"}

#: Modules that exist only in a browser.
BROWSER_MODULES = {"js", "pyodide", "pyodide_js"}

#: Modules whose calls at import would become part of the start snapshot, the same for every visitor.
CLOCKS_AND_DICE = {
    "time",
    "random",
    "secrets",
    "uuid",
    "datetime.datetime.now",
    "datetime.date.today",
    "os.urandom",
}

#: Split, so that this file obeys its own rules.
REGISTRY_HOSTS = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "debian" + ".org",
)
MACHINE_PATH = re.compile(
    r"(?<![\w.~-])/(?:" + "ro" + r"ot|wo" + r"rk|Us" + r"ers/\w+|ho" + r"me/(?!pyodide\b)\w+)/"
)
#: Words of an idiom that only its authors knew; docs/architecture.md has the glossary.
PRIVATE_WORDS = Path(__file__).with_name("private_words.txt").read_text(encoding="utf-8").split("\n")[:-1]
#: The key under which earlier versions stored the last view stays.
_PRIVATE = re.compile(rf"(?<!kizuna\.)\b(?:{'|'.join(PRIVATE_WORDS)})\b", re.IGNORECASE)
MAX_WORDS_OF_A_TEST = 12
MARKUP_SINKS = re.compile(
    r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTMLUnsafe|srcdoc)\b"
)


@dataclass(frozen=True)
class Source:
    """One file: its path from the root, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python file."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree, which several rules use."""
        return list(ast.walk(self.tree))

    def inside(self, *places: str) -> bool:
        """Return whether this is one of the places, or in one."""
        return any(PurePosixPath(self.path).is_relative_to(place) for place in places)

    def at(self, line: int, complaint: str) -> str:
        """Return the complaint with its place."""
        return f"{self.path}:{line}: {complaint}"


Rule = Callable[[Source], Iterator[str]]


def sources(root: Path) -> list[Source]:
    """Return every text file that git tracks or would track."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=root, stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    found = []
    for name in sorted({name for name in names if name and (root / name).is_file()}):
        try:
            found.append(Source(name, (root / name).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # an image or a font
    return found


def whole_browser_modules(source: Source) -> Iterator[str]:
    """Check that js is imported whole, and PyScript's package nowhere."""
    for line, module in imports(source):
        if _is_in(module, {"pyscript"}):
            yield source.at(line, "use js and pyodide.ffi: nothing here imports pyscript")
        elif module.startswith("js.") and source.inside("app"):
            yield source.at(line, "say `import js`: names taken from it fail where the snapshot is made")


def standard_library_only(source: Source) -> Iterator[str]:
    """Check that app/ imports the standard library, the browser and itself, and two modules more."""
    allowed = sys.stdlib_module_names | PAGE | BROWSER_MODULES | {"pyscript"}
    if source.inside("app/kizuna/aio"):
        allowed |= {"websockets"}
    if source.inside("app/kizuna/testing/pytest_plugin.py"):
        allowed |= {"pytest"}
    if source.inside("app/kizuna/codec.py"):
        allowed |= {
            "typing_extensions"
        }  # for type checkers, which bring it; it is not there when the program runs
    for line, module in imports(source):
        if source.inside("app") and not _is_in(module, allowed):
            yield source.at(line, f"app/ has the standard library and its own packages: do without {module}")


def no_path_tricks(source: Source) -> Iterator[str]:
    """Check that nothing changes where Python looks for modules."""
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.path", "site.addsitedir"):
            yield source.at(node.lineno, f"import by the full name instead of changing {ast.unparse(node)}")
    for line, module in imports(source):
        if module in ("sys.path", "site.addsitedir"):
            yield source.at(line, f"import by the full name instead of changing {module}")


def clean_at_import(source: Source) -> Iterator[str]:
    """Check that importing a module of the page uses no clock, no random number and no JavaScript object."""
    if not source.inside("app"):
        return
    known = dict(_local_names(source))
    for node in _run_at_import(source.tree):
        name = _full_name(node.func if isinstance(node, ast.Call) else node, known)
        if isinstance(node, ast.Call) and _is_in(name, CLOCKS_AND_DICE | {"pyodide"}):
            yield source.at(
                node.lineno, f"{name}() at import would be frozen into the snapshot: call it in a function"
            )
        if isinstance(node, ast.Attribute) and name.startswith("js."):
            yield source.at(
                node.lineno,
                f"{name} at import does not exist where the snapshot is made: use it in a function",
            )


def short_file(source: Source) -> Iterator[str]:
    """Check that a file has at most MAX_FILE_LINES."""
    lines = source.text.count("\n")
    if lines > MAX_FILE_LINES and source.path.endswith((".py", ".pyi", ".js", ".mjs", ".css", ".html")):
        yield source.at(
            lines, f"{lines} lines, at most {MAX_FILE_LINES}: find the second concept in it, give it a file"
        )


def mostly_short_functions(files: Iterable[Source]) -> Iterator[str]:
    """Check that nine functions in ten have fewer than LONG_FUNCTION lines; if not, yield the long ones."""
    functions = [
        (source, node)
        for source in files
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [(source, node) for source, node in functions if _length(node) >= LONG_FUNCTION]
    if len(long) * 10 > len(functions):
        for source, node in sorted(long, key=lambda pair: -_length(pair[1])):
            yield source.at(
                node.lineno, f"{node.name} has {_length(node)} lines: name a part of it, move it out"
            )


def no_registry_host(source: Source) -> Iterator[str]:
    """Check that no registry's host is named: the machine chooses the mirror."""
    for line, text in enumerate(source.text.splitlines(), 1):
        for host in REGISTRY_HOSTS:
            if host in text:
                yield source.at(line, f"do not name {host}: lock files here hold hashes, not addresses")


def no_machine_path(source: Source) -> Iterator[str]:
    """Check that no path of one machine is named."""
    for line, text in enumerate(source.text.splitlines(), 1):
        if found := MACHINE_PATH.search(text):
            yield source.at(
                line, f"{found[0]} is a path of one machine: say it from the root of the repository"
            )


def plain_words(source: Source) -> Iterator[str]:
    """Use the field's words."""
    for line, text in enumerate(source.text.splitlines(), 1):
        if (found := _PRIVATE.search(text)) and not source.path.endswith("private_words.txt"):
            yield source.at(line, f"say it in the field's words instead of {found[0]!r}")


def short_test_name(source: Source) -> Iterator[str]:
    """Name a test by subject, condition and result; its story goes into the docstring."""
    for node in source.nodes if source.inside("tests") else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            words = node.name.count("_")
            if words > MAX_WORDS_OF_A_TEST:
                yield source.at(node.lineno, f"{node.name} has {words} words, at most {MAX_WORDS_OF_A_TEST}")


def no_waiting_by_the_clock(source: Source) -> Iterator[str]:
    """Check that no test waits for a fixed time. The waiting functions in tests/support may."""
    if not source.inside("tests") or source.inside("tests/support"):
        return
    known = dict(_local_names(source))
    for node in source.nodes:
        if isinstance(node, ast.Call):
            name = _full_name(node.func, known)
            if name == "time.sleep" or name.endswith(".wait_for_timeout"):
                yield source.at(node.lineno, f"wait for the state you want to see, not by {name}")


def no_markup_from_text(source: Source) -> Iterator[str]:
    """Check that people's texts reach the page as text nodes only."""
    if source.inside("app", "static", "index.html"):
        for line, text in enumerate(source.text.splitlines(), 1):
            if found := MARKUP_SINKS.search(text):
                yield source.at(
                    line, f"use <template> and textContent: {found[0]} can turn words into markup"
                )


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name (chat.protocol.Frame) of each import."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imports_at_start(source: Source) -> Iterator[str]:
    """Yield the modules, or their names, that importing this module imports; none of functions."""
    for node in _run_at_import(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _local_names(source: Source) -> Iterator[tuple[str, str]]:
    """Yield local and full name of each import: `from time import sleep as nap` gives (nap, time.sleep)."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _full_name(node: ast.AST, known: dict[str, str]) -> str:
    """Return the full name of a local one: `nap` -> time.sleep, if it was imported so."""
    if isinstance(node, ast.Attribute):
        return f"{_full_name(node.value, known)}.{node.attr}"
    return known.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run at import: all but function bodies, annotations and `if TYPE_CHECKING`."""
    if isinstance(node, ast.Lambda) or (
        isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ):
        return
    skipped: list[ast.AST | None] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        skipped = [*node.body, node.returns]
    elif isinstance(node, ast.AnnAssign | ast.arg):
        skipped = [node.annotation]
    yield node
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _run_at_import(child)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_in(module: str, packages: Iterable[str]) -> bool:
    """Return whether the module is one of the packages, or in one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)
