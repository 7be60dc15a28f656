"""Mutants of a module: versions that differ from it in one place. Some test should fail for each."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

#: Operators that replace each other: opposites, and those that differ only where both sides are equal.
CONFUSED_OPERATORS = (
    *(("<", ">="), (">", "<="), ("==", "!="), ("is", "is not"), ("in", "not in")),
    *(("<", "<="), (">", ">=")),
    *(("+", "-"), ("*", "/"), ("and", "or")),
)
REMOVABLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise, ast.Continue, ast.Break)
#: Fields without effect on behaviour: annotations, decorators.
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list"}

#: The line, a description, and the node with its new fields.
Change = tuple[int, str, ast.AST, dict[str, object]]


@dataclass(frozen=True)
class Mutant:
    """One change of one module. ``text``: the changed line, which identifies it better than a line number."""

    module: str
    number: int
    line: int
    text: str
    change: str

    def __str__(self) -> str:
        return f"app/kizuna/{self.module}.py:{self.line}: {self.change}   [{self.text}]"

    @property
    def key(self) -> tuple[str, str, str]:
        """Its key in survivors.toml."""
        return self.module, self.text, self.change


def mutants(module: str, source: str) -> list[Mutant]:
    """Return every mutant of ``source``, in the order of the text."""
    lines = source.splitlines()
    found = enumerate(_changes(ast.parse(source), in_function=False))
    return [Mutant(module, n, line, lines[line - 1].strip(), words) for n, (line, words, _, _) in found]


def compiled(source: str, number: int, path: str) -> CodeType:
    """Return the code of one mutant."""
    tree = ast.parse(source)
    _, _, node, fields = list(_changes(tree, in_function=False))[number]
    vars(node).update(fields)
    return compile(ast.fix_missing_locations(tree), path, "exec")


def _changes(node: ast.AST, *, in_function: bool) -> Iterator[Change]:
    """Yield the changes of a node and of all below it, without assertions and code for type checkers."""
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
    # A condition that is no comparison is negated; a `not` is removed.
    for name, value in ast.iter_fields(node):
        match value:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield value.lineno, f"not `{ast.unparse(value)}`", node, {name: operand}
            case ast.expr() if name in ("test", "guard") and not isinstance(value, ast.Compare):
                negated = ast.UnaryOp(ast.Not(), value)
                yield value.lineno, f"not `{ast.unparse(value)}`", node, {name: negated}


def _with(items: Sequence[Any], place: int, *others: ast.AST) -> list[Any]:
    """Return ``items`` with one replaced by ``others``, or removed."""
    return [*items[:place], *others, *items[place + 1 :]]


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _operator(sign: str) -> ast.AST:
    example: Any = ast.parse(f"a {sign} b", mode="eval").body
    operator: ast.AST = example.ops[0] if isinstance(example, ast.Compare) else example.op
    return operator


_SIGNS = {type(_operator(sign)): sign for pair in CONFUSED_OPERATORS for sign in pair}


def _mistaken(operator: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield the replacements of an operator, as a description and as a node."""
    sign = _SIGNS.get(type(operator))
    for pair in CONFUSED_OPERATORS:
        if sign in pair:
            other = pair[0] if sign == pair[1] else pair[1]
            yield f"{sign} becomes {other}", _operator(other)
