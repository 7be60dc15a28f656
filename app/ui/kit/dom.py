"""Small helpers for the DOM: finding parts, cloning templates, listening and letting go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js
from pyodide.ffi import JsDoubleProxy, create_proxy

from ui.kit.texts import Texts

_FILLED = (
    ("data-text", None),
    ("data-label", "aria-label"),
    ("data-title", "title"),
    ("data-placeholder", "placeholder"),
)


def by_id(name: str) -> Any:
    """The element with this id. index.html and the views belong together, so a missing one is an error."""
    element = js.document.getElementById(name)
    if not element:
        raise LookupError(f"index.html has no element #{name}")
    return element


def part(root: js.Element, name: str) -> Any:
    """The element inside ``root`` with ``data-part`` of this name."""
    element = root.querySelector(f'[data-part="{name}"]')
    if not element:
        raise LookupError(f"there is no data-part {name!r} where one is expected")
    return element


class Template:
    """Responsible for making elements from a ``<template>`` of index.html, filled with words once."""

    def __init__(self, name: str, texts: Texts) -> None:
        content = by_id(name).content
        fill(content, texts)
        self._element = content.firstElementChild

    def make(self) -> Any:
        """A new element."""
        return self._element.cloneNode(True)


def fill(root: js.Document | js.DocumentFragment, texts: Texts) -> None:
    """Write the words that never change into the elements that ask for them."""
    for attribute, target in _FILLED:
        for element in root.querySelectorAll(f"[{attribute}]"):
            text = texts(str(element.getAttribute(attribute)))
            if target is None:
                element.textContent = text
            else:
                element.setAttribute(target, text)


def icon(use: js.Element, name: str) -> None:
    """Show another icon of the sprite in index.html."""
    use.setAttribute("href", f"#icon-{name}")


class Listeners:
    """Responsible for listeners and other callbacks that JavaScript keeps: each proxy is owned here, until close()."""

    def __init__(self) -> None:
        self._listening: list[tuple[js.EventTarget, str, JsDoubleProxy[Any]]] = []
        self._proxies: list[JsDoubleProxy[Any]] = []

    def on(
        self, target: js.EventTarget, event: str, handler: Callable[[Any], object], *, passive: bool = False
    ) -> None:
        """Call ``handler`` with each ``event``."""
        proxy = create_proxy(handler)
        target.addEventListener(event, proxy, passive=passive)
        self._listening.append((target, event, proxy))

    def keep(self, callback: Callable[..., object]) -> JsDoubleProxy[Any]:
        """``callback`` for JavaScript to keep until close()."""
        proxy = create_proxy(callback)
        self._proxies.append(proxy)
        return proxy

    def close(self) -> None:
        """Stop listening, and let go of every proxy."""
        for target, event, proxy in self._listening:
            target.removeEventListener(event, proxy)
            proxy.destroy()
        for proxy in self._proxies:
            proxy.destroy()
        self._listening.clear()
        self._proxies.clear()
