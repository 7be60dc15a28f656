"""What the person has chosen for this browser: language, theme, what Enter does, notifications.

static/boot/boot.js reads language and theme before the first paint, under the same keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from kizuna import Settings


class Preference(StrEnum):
    """The preferences, by their keys in storage."""

    LANGUAGE = "kizuna.language"
    THEME = "kizuna.theme"
    ENTER = "kizuna.enter"  #: what the Enter key does
    NOTIFY = "kizuna.notify"  #: which notifications a hidden page gives


ENTER_SENDS, ENTER_BREAKS = "send", "break"
NOTIFY_WHO, NOTIFY_TEXT = "who", "text"

#: The values that a preference may have; without one it is the browser's, or the device's.
CHOICES: Mapping[Preference, tuple[str, ...]] = MappingProxyType(
    {
        Preference.LANGUAGE: ("en", "ja"),
        Preference.THEME: ("light", "dark"),
        Preference.ENTER: (ENTER_SENDS, ENTER_BREAKS),
        Preference.NOTIFY: (NOTIFY_WHO, NOTIFY_TEXT),
    }
)


class Preferences:
    """The preferences in ``settings``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listeners: list[Callable[[], None]] = []

    def get(self, preference: Preference) -> str:
        """Return the chosen value; empty if there is none."""
        value = self._settings.get(preference) or ""
        return value if value in CHOICES[preference] else ""

    def set(self, preference: Preference, value: str) -> None:
        """Store a value, or delete it if it is empty, and call the listeners."""
        if value in CHOICES[preference]:
            self._settings.set(preference, value)
        else:
            self._settings.delete(preference)
        for listener in tuple(self._listeners):
            listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each change."""
        self._listeners.append(listener)

    def enter_breaks(self, *, touch_screen: bool) -> bool:
        """Return whether Enter breaks the line: a touch screen's keyboard has no Shift+Enter, and a button to send."""
        chosen = self.get(Preference.ENTER)
        return chosen == ENTER_BREAKS if chosen else touch_screen
