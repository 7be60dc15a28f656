"""Helpers for the DOM: elements, templates, listeners."""

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
    """Return the element with this id. Raises LookupError."""
    element = js.document.getElementById(name)
    if not element:
        raise LookupError(f"index.html has no element #{name}")
    return element


def part(root: js.Element, name: str) -> Any:
    """Return the element inside ``root`` with this ``data-part``. Raises LookupError."""
    element = root.querySelector(f'[data-part="{name}"]')
    if not element:
        raise LookupError(f"there is no data-part {name!r} where one is expected")
    return element


class Template:
    """A ``<template>`` of index.html, filled with texts once."""

    def __init__(self, name: str, texts: Texts) -> None:
        content = by_id(name).content
        fill(content, texts)
        self._element = content.firstElementChild

    def make(self) -> Any:
        """Return a new element."""
        return self._element.cloneNode(True)


def fill(root: js.Document | js.DocumentFragment, texts: Texts) -> None:
    """Write the constant texts into elements with data-text, data-label, data-title or data-placeholder."""
    for attribute, target in _FILLED:
        for element in root.querySelectorAll(f"[{attribute}]"):
            text = texts(str(element.getAttribute(attribute)))
            if target is None:
                element.textContent = text
            else:
                element.setAttribute(target, text)


def icon(use: js.Element, name: str) -> None:
    """Show an icon of the sprite in index.html."""
    use.setAttribute("href", f"#icon-{name}")


class Listeners:
    """The owner of the proxies of listeners and callbacks in JavaScript, until close()."""

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
        """Return a proxy of ``callback``, valid until close()."""
        proxy = create_proxy(callback)
        self._proxies.append(proxy)
        return proxy

    def close(self) -> None:
        """Stop listening, and destroy every proxy."""
        for target, event, proxy in self._listening:
            target.removeEventListener(event, proxy)
            proxy.destroy()
        for proxy in self._proxies:
            proxy.destroy()
        self._listening.clear()
        self._proxies.clear()
