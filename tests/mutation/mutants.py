"""Small wrong versions of a module: each differs from it in one place. A good test notices every one of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

#: Operators that are taken for each other: opposites, and those that differ only where both sides are equal.
TAKEN_FOR_EACH_OTHER = (
    *(("<", ">="), (">", "<="), ("==", "!="), ("is", "is not"), ("in", "not in")),
    *(("<", "<="), (">", ">=")),
    *(("+", "-"), ("*", "/"), ("and", "or")),
)
REMOVABLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise, ast.Continue, ast.Break)
#: Nothing in these runs, or nothing of it decides: annotations, how a class is declared.
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list"}

#: The line, what is changed in words, and the node with its new fields.
Change = tuple[int, str, ast.AST, dict[str, object]]


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
    found = enumerate(_changes(ast.parse(source), in_function=False))
    return [Mutant(module, n, line, lines[line - 1].strip(), words) for n, (line, words, _, _) in found]


def compiled(source: str, number: int, path: str) -> CodeType:
    """The code of one mutant."""
    tree = ast.parse(source)
    _, _, node, fields = list(_changes(tree, in_function=False))[number]
    vars(node).update(fields)
    return compile(ast.fix_missing_locations(tree), path, "exec")


def _changes(node: ast.AST, *, in_function: bool) -> Iterator[Change]:
    """The changes of a node and of all below it, but not of what only a type checker or an assertion sees."""
    is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    if is_for_types or isinstance(node, ast.Assert):
        return
    yield from _changes_of(node)
    inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for name, value in ast.iter_fields(node):
        if name in SKIPPED_FIELDS:
            continue
        children = value if isinstance(value, list) else [value]
        for place, child in enumerate(children):
            if inside and isinstance(child, REMOVABLE) and not _is_docstring(child):
                left = _with(children, place, ast.Pass())
                yield child.lineno, f"without `{ast.unparse(child)}`", node, {name: left}
            if isinstance(child, ast.AST):
                yield from _changes(child, in_function=inside)


def _changes_of(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=operators):
            for place, operator in enumerate(operators):
                for words, other in _mistaken(operator):
                    ops = _with(operators, place, other)
                    yield node.lineno, f"{words} in `{ast.unparse(node)}`", node, {"ops": ops}
        case ast.Constant(value=bool() as value):
            yield node.lineno, f"{value} becomes {not value}", node, {"value": not value}
        case ast.Constant(value=int() | float() as value):
            yield node.lineno, f"{value} becomes {value + 1}", node, {"value": value + 1}
        case ast.BoolOp(op=operator) | ast.BinOp(op=operator) | ast.AugAssign(op=operator):
            for words, other in _mistaken(operator):
                yield node.lineno, words, node, {"op": other}
        case ast.Dict(keys=entries) | ast.Set(elts=entries):
            for place, entry in enumerate(entries):
                if entry is not None:
                    left: dict[str, object] = {
                        name: _with(items, place) for name, items in ast.iter_fields(node)
                    }
                    yield entry.lineno, f"without the entry `{ast.unparse(entry)}`", node, left
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield node.lineno, "returns None", node, {"value": ast.Constant(None)}
    # A condition that is no comparison is negated; what is negated, anywhere, loses its `not`.
    for name, value in ast.iter_fields(node):
        match value:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield value.lineno, f"not `{ast.unparse(value)}`", node, {name: operand}
            case ast.expr() if name in ("test", "guard") and not isinstance(value, ast.Compare):
                negated = ast.UnaryOp(ast.Not(), value)
                yield value.lineno, f"not `{ast.unparse(value)}`", node, {name: negated}


def _with(items: Sequence[Any], place: int, *others: ast.AST) -> list[Any]:
    """``items`` with ``others``, or with nothing, in the place of one."""
    return [*items[:place], *others, *items[place + 1 :]]


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _operator(sign: str) -> ast.AST:
    example: Any = ast.parse(f"a {sign} b", mode="eval").body
    operator: ast.AST = example.ops[0] if isinstance(example, ast.Compare) else example.op
    return operator


_SIGNS = {type(_operator(sign)): sign for pair in TAKEN_FOR_EACH_OTHER for sign in pair}


def _mistaken(operator: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What an operator is taken for, in words and as a node."""
    sign = _SIGNS.get(type(operator))
    for pair in TAKEN_FOR_EACH_OTHER:
        if sign in pair:
            other = pair[0] if sign == pair[1] else pair[1]
            yield f"{sign} becomes {other}", _operator(other)
