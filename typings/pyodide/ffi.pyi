"""The bridge between Python and JavaScript, as far as Kizuna uses it.

Two rules of the bridge are types here, so that mypy finds what would fail at run time:

- What JavaScript keeps (a listener, a timer's callback) is a ``JsDoubleProxy`` from :func:`create_proxy`,
  owned and destroyed by us. A bare function passed as an argument is borrowed and dies when the call returns.
- JavaScript's ``null`` is not ``None``: it arrives as :class:`JsNull`. Test by truth, never by ``is None``.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, Literal, TypeVar, final

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

class JsProxy:
    """Any JavaScript object seen from Python. ``js_id`` is the same for the same object.

    No ``__getattr__`` here: what the stubs do not name is a typing mistake, or belongs into them.
    """

    @property
    def js_id(self) -> int: ...
    @property
    def typeof(self) -> str: ...
    def to_py(self, *, depth: int = -1) -> Any: ...

class JsPromise(JsProxy, Generic[_T]):
    """A promise: ``await`` it."""

    def __await__(self) -> Generator[Any, Any, _T]: ...

class JsException(Exception):
    """An error thrown by JavaScript, such as a DOMException; ``name`` and ``message`` are its own."""

    name: str
    message: str
    stack: str

class JsDoubleProxy(JsProxy, Generic[_T_co]):
    """A JavaScript function or object that stands for a Python one, until ``destroy()``."""

    def destroy(self) -> None: ...
    def unwrap(self) -> _T_co: ...

@final
class JsNull:
    """The type of JavaScript's ``null``."""

    def __bool__(self) -> Literal[False]: ...

jsnull: JsNull

def create_proxy(obj: _T, /, *, capture_this: bool = False, roundtrip: bool = True) -> JsDoubleProxy[_T]:
    """``obj`` for JavaScript to keep. The caller owns it and calls ``destroy()``."""

def create_once_callable(obj: _T, /) -> JsDoubleProxy[_T]:
    """``obj`` for exactly one call, which frees it; never called, it leaks: not for what may be cancelled."""

def to_js(
    obj: object,
    /,
    *,
    depth: int = -1,
    create_pyproxies: bool = True,
    dict_converter: Callable[[Iterable[Any]], Any] | None = None,
) -> JsProxy:
    """A JavaScript copy of a Python list or dict; a dict becomes a plain object."""
