"""Small wrong versions of a module: each differs from it in one place. A good test notices every one of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

#: Comparison -> its opposite, and the one that differs from it only where both sides are equal.
OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
BOUNDARIES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
REMOVABLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise, ast.Continue, ast.Break)
#: Nothing in these runs, or nothing of it decides: annotations, how a class is declared, what cannot be.
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list"}

#: What is changed, and how to change it in the tree that it was found in.
Change = tuple[int, str, Callable[[], None]]


@dataclass(frozen=True)
class Mutant:
    """One change of one module. ``text`` is its line, which says more than a number that the next edit moves."""

    module: str
    number: int
    line: int
    text: str
    change: str

    def __str__(self) -> str:
        return f"app/kizuna/{self.module}.py:{self.line}: {self.change}   [{self.text}]"

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by in survivors.toml."""
        return self.module, self.text, self.change


def mutants(module: str, source: str) -> list[Mutant]:
    """Every mutant of ``source``, in the order of the text."""
    lines = source.splitlines()
    found = enumerate(_changes(ast.parse(source)))
    return [Mutant(module, n, line, lines[line - 1].strip(), change) for n, (line, change, _) in found]


def compiled(source: str, number: int, path: str) -> CodeType:
    """The code of one mutant."""
    tree = ast.parse(source)
    _, _, apply = list(_changes(tree))[number]
    apply()
    return compile(ast.fix_missing_locations(tree), path, "exec")


def _changes(tree: ast.Module) -> Iterator[Change]:
    for node, parent, in_function in _walk(tree, None, in_function=False):
        match node:
            case ast.Compare():
                yield from _comparison(node)
            case ast.Constant(value=bool() as value):
                yield (
                    node.lineno,
                    f"{value} becomes {not value}",
                    _setter(node, value=not value),
                )
            case ast.Constant(value=int() | float() as value):
                yield node.lineno, f"{value} becomes {value + 1}", _setter(node, value=value + 1)
            case ast.BoolOp():
                other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
                yield node.lineno, f"{words[0]} becomes {words[1]}", _setter(node, op=other)
            case ast.BinOp() | ast.AugAssign() if type(node.op) in ARITHMETIC:
                swapped = ARITHMETIC[type(node.op)]()
                yield node.lineno, f"{_word(node.op)} becomes {_word(swapped)}", _setter(node, op=swapped)
            case ast.Dict() | ast.Set():
                yield from _entries(node)
            case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
                yield node.lineno, "returns None", _setter(node, value=ast.Constant(None))
        yield from _condition(node)
        if in_function and isinstance(node, REMOVABLE) and not _is_docstring(node):
            yield node.lineno, f"without `{ast.unparse(node)}`", _remover(node, parent)


def _comparison(node: ast.Compare) -> Iterator[Change]:
    for place, operator in enumerate(node.ops):
        for table in (OPPOSITES, BOUNDARIES):
            if (other := table.get(type(operator))) is not None:
                ops = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                what = f"{_word(operator)} becomes {_word(other())} in `{ast.unparse(node)}`"
                yield node.lineno, what, _setter(node, ops=ops)


def _condition(node: ast.AST) -> Iterator[Change]:
    """A condition that is no comparison is negated; one that is negated loses its `not`."""
    for name in ("test", "guard"):
        test = getattr(node, name, None)
        if isinstance(test, ast.expr) and not isinstance(test, ast.Compare):
            yield test.lineno, f"not `{ast.unparse(test)}`", _setter(node, **{name: _negated(test)})
    for name, value in ast.iter_fields(node):
        is_not = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
        if is_not and name not in ("test", "guard"):
            yield value.lineno, f"not `{ast.unparse(value)}`", _setter(node, **{name: _negated(value)})


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def _entries(node: ast.Dict | ast.Set) -> Iterator[Change]:
    """A table loses a row, a set a member."""
    keys = node.keys if isinstance(node, ast.Dict) else node.elts
    for place, key in enumerate(keys):
        if key is not None:
            what = f"without the entry `{ast.unparse(key)}`"
            lists = (node.keys, node.values) if isinstance(node, ast.Dict) else (node.elts,)
            yield key.lineno, what, _dropper(lists, place)


def _walk(
    node: ast.AST, parent: ast.AST | None, *, in_function: bool
) -> Iterator[tuple[ast.AST, ast.AST | None, bool]]:
    if isinstance(node, ast.Assert) or (
        isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ):
        return
    yield node, parent, in_function
    inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for name, value in ast.iter_fields(node):
        if name not in SKIPPED_FIELDS:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _walk(child, node, in_function=inside)


def _setter(node: ast.AST, **fields: object) -> Callable[[], None]:
    def apply() -> None:
        for name, value in fields.items():
            setattr(node, name, value)

    return apply


def _remover(node: ast.AST, parent: ast.AST | None) -> Callable[[], None]:
    def apply() -> None:
        for _, value in ast.iter_fields(parent or node):
            if isinstance(value, list) and node in value:
                value[value.index(node)] = ast.copy_location(ast.Pass(), node)

    return apply


def _dropper(lists: Iterable[list[Any]], place: int) -> Callable[[], None]:
    def apply() -> None:
        for items in lists:
            del items[place]

    return apply


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


_SIGNS = {"Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!=", "Is": "is"}
_SIGNS |= {"IsNot": "is not", "In": "in", "NotIn": "not in", "Add": "+", "Sub": "-", "Mult": "*", "Div": "/"}


def _word(operator: ast.AST) -> str:
    return _SIGNS[type(operator).__name__]
