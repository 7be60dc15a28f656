"""What a person has chosen for this browser is remembered, and nothing else than the choices there are."""

import pytest

from chat.preferences import CHOICES, ENTER_BREAKS, ENTER_SENDS, Preference, Preferences
from tests.chat.session_harness import MemorySettings


def test_a_choice_is_remembered_until_it_is_taken_back():
    settings = MemorySettings()
    Preferences(settings).set(Preference.THEME, "dark")
    again = Preferences(settings)
    assert again.get(Preference.THEME) == "dark"
    again.set(Preference.THEME, "")
    assert again.get(Preference.THEME) == ""
    assert settings == {}


@pytest.mark.parametrize("preference", Preference)
def test_a_stored_value_that_is_no_choice_counts_as_none(preference: Preference):
    settings = MemorySettings()
    settings.set(preference, "something else")
    assert Preferences(settings).get(preference) == ""
    assert "" not in CHOICES[preference]


def test_those_who_listen_hear_of_each_change():
    preferences, heard = Preferences(MemorySettings()), []
    preferences.on_change(lambda: heard.append(preferences.get(Preference.LANGUAGE)))
    preferences.set(Preference.LANGUAGE, "ja")
    preferences.set(Preference.LANGUAGE, "")
    assert heard == ["ja", ""]


@pytest.mark.parametrize(
    ("chosen", "touch_screen", "breaks"),
    [
        ("", False, False),
        ("", True, True),
        (ENTER_SENDS, True, False),
        (ENTER_BREAKS, False, True),
    ],
)
def test_enter_sends_unless_chosen_otherwise_or_on_touch_screens(
    chosen: str, touch_screen: bool, breaks: bool
):
    preferences = Preferences(MemorySettings())
    preferences.set(Preference.ENTER, chosen)
    assert preferences.enter_breaks(touch_screen=touch_screen) == breaks
