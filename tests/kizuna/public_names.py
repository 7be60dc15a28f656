"""Which names of the library the public signatures of a module speak of."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from types import ModuleType
from typing import Any

#: Modules whose names a signature may use without ado.
KNOWN = (builtins, typing, collections.abc, types)


def names_in_signatures(module: ModuleType) -> set[str]:
    """Return the names in signatures and annotations of all that ``module`` exports, but for those of Python."""
    exported = [getattr(module, name) for name in module.__all__]
    return {
        name
        for thing in exported
        for owner, annotation in _annotations(thing)
        for name in _names(annotation)
        if not any(hasattr(known, name) for known in KNOWN)
        and not isinstance(vars(sys.modules[owner]).get(name), typing.TypeVar)
        and not name.startswith("_")
    }


def _annotations(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield each annotation of a function, or of a class and its public methods, and the module that it is in."""
    if inspect.isclass(thing):
        for kind in thing.__mro__:
            if kind.__module__.startswith("kizuna."):
                for annotation in inspect.get_annotations(kind).values():
                    yield kind.__module__, annotation
                for name, member in vars(kind).items():
                    if not name.startswith("_") or name == "__init__":
                        yield from _of_function(member)
    else:
        yield from _of_function(thing)


def _of_function(thing: Any) -> Iterator[tuple[str, Any]]:
    function = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
    if inspect.isfunction(function):
        for annotation in function.__annotations__.values():
            yield function.__module__, annotation


def _names(annotation: Any) -> Iterator[str]:
    nodes = list(ast.walk(ast.parse(str(annotation), mode="eval")))
    modules = [node.value for node in nodes if isinstance(node, ast.Attribute)]
    for node in nodes:
        if isinstance(node, ast.Name) and node not in modules:
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _names(node.value)
