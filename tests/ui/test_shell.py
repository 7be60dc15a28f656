"""index.html, the style sheets and the code that looks for their parts belong together."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = (ROOT / "index.html").read_text(encoding="utf-8")
APP = ROOT / "app" / "ui"
UI = {path.relative_to(APP).as_posix(): path.read_text(encoding="utf-8") for path in APP.rglob("*.py")}
BOOT = (ROOT / "static" / "boot" / "boot.js").read_text(encoding="utf-8")
UPDATES = (ROOT / "static" / "boot" / "updates.js").read_text(encoding="utf-8")
TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collects the elements of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(INDEX)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.elements if attribute in attrs]


PAGE = Page()


def test_ids_are_unique():
    ids = PAGE.all("id")
    assert len(ids) == len(set(ids))


def test_every_part_that_the_code_looks_for_exists():
    ids, parts = set(PAGE.all("id")), set(PAGE.all("data-part"))
    code = "\n".join(UI.values())
    wanted = set(re.findall(r'by_id\(\s*"([\w-]+)"', code)) | set(re.findall(r'part\("([\w-]+)"\)', BOOT))
    wanted |= set(re.findall(r'Template\("([\w-]+)"', code))
    in_updates = set(re.findall(r'getElementById\("([\w-]+)"', UPDATES))
    wanted |= in_updates - {"start-files"}  # which the build adds
    assert wanted <= ids
    assert set(re.findall(r'part\(\w+, "([\w-]+)"', code)) <= parts


def test_what_labels_and_icons_point_to_exists():
    ids = set(PAGE.all("id"))
    for attribute in ("aria-labelledby", "aria-describedby"):
        for value in PAGE.all(attribute):
            assert set(value.split()) <= ids
    for value in PAGE.all("href"):
        if value.startswith("#"):
            assert value[1:] in ids
    icons = re.findall(r'Pill\(Kind\.\w+, "(\w+)"', UI["connection/status_pill.py"])
    icons += re.findall(r'_ICON\w* = .*"(\w+)"', UI["messages/row_factory.py"])
    assert {f"icon-{name}" for name in icons} <= ids


def test_the_page_obeys_its_own_policy():
    assert not PAGE.all("style")
    for tag, attrs in PAGE.elements:
        assert not [name for name in attrs if name.startswith("on")], tag
        if tag == "script" and attrs.get("type") != "py":
            assert attrs.get("src")
    assert "<style" not in INDEX


#: Where the source lies, for those who want to read it: not a part of the page.
ELSEWHERE = "https://github.com/YOU/kizuna"


def test_every_address_is_relative_so_that_the_page_works_under_any_path():
    for value in PAGE.all("src") + PAGE.all("href"):
        assert not re.match(r"/|\w+:", value.removeprefix(ELSEWHERE).removeprefix("/tree/main/docs")), value


def test_only_links_of_the_first_screen_lead_elsewhere():
    tags = [tag for tag, attrs in PAGE.elements if attrs.get("href", "").startswith(ELSEWHERE)]
    assert tags == ["a", "a"]


@pytest.mark.parametrize("tag_attribute", ["src", "href"])
def test_every_file_that_the_page_names_exists(tag_attribute: str):
    if not (ROOT / "static" / "vendor" / "pyodide").exists():
        pytest.skip("the runtime has not been fetched")
    for value in PAGE.all(tag_attribute):
        if value and not value.startswith(("#", "?", ELSEWHERE)):
            assert (ROOT / value).is_file(), value


def test_the_contract_of_the_page():
    html = next(attrs for tag, attrs in PAGE.elements if tag == "html")
    assert (html["data-status"], html["data-caught-up"]) == ("idle", "false")
    log = next(attrs for _, attrs in PAGE.elements if attrs.get("role") == "log")
    assert {"data-count", "data-first-seq", "data-last-seq"} <= log.keys()
    assert log["aria-live"] == "off"
    assert [attrs.get("id") for _, attrs in PAGE.elements if attrs.get("role") == "status"] == ["connection"]
    english = json.loads((ROOT / "static" / "i18n" / "en.json").read_text(encoding="utf-8"))
    names = [english[key] for key in ("join.name", "join.button", "messages.label", "composer.label")]
    names += [
        english[key] for key in ("composer.send", "try_now", "leave", "message.retry", "message.delete")
    ]
    names += [english[key] for key in ("unsent.retry_all", "rooms.label", "rooms.leave", "rooms.go")]
    names += [english[key] for key in ("update.ready", "reload", "notice.dismiss")]
    names += [english[key]["other"] for key in ("rooms.unread", "present.words")]
    assert names == [
        "Your name",
        "Join",
        "Messages",
        "Message",
        "Send",
        "Try now",
        "Leave",
        "Retry",
        "Delete",
        "Retry all",
        "Rooms",
        "Leave #{room}",
        "Go to a room",
        "A new version is ready.",
        "Reload",
        "Dismiss",
        "{count} unread",
        "{count} people here",
    ]


def test_words_before_python_exist_in_both_languages():
    splash = INDEX[INDEX.index('<div class="splash"') : INDEX.index('<div class="cached-view"')]
    assert splash.count('<span lang="en">') == splash.count('<span lang="ja">') > 10


@pytest.mark.parametrize(("language", "number"), [("en", 1), ("ja", 2)])
def test_the_form_before_python_has_the_words_of_the_catalogue(language: str, number: int):
    catalogue = json.loads((ROOT / "static" / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    form = INDEX[INDEX.index('<section class="join"') : INDEX.index('<section class="room"')]
    both = r'<span lang="en">(.*?)</span><span lang="ja">(.*?)</span>'
    texts = {found[1]: found[number + 1] for found in re.finditer(rf'data-text="([\w.]+)">{both}', form)}
    assert texts == {key: catalogue[key] for key in re.findall(r'data-text="([\w.]+)"', form)}
    assert len(texts) > 8
    lead = re.search(rf'id="join-lead">{both}', form)
    assert lead is not None
    assert lead[number].replace("<bdi>general</bdi>", "{room}") == catalogue["join.lead"]


def test_text_never_becomes_html():
    for name, code in UI.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML", code), name
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", BOOT)


# --- contrast ---

COLOURS = dict(re.findall(r"--([\w-]+): (light-dark\(#\w{6}, #\w{6}\)|#\w{6});", TOKENS.split("@media")[0]))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


TEXT_ON = [
    *[("text", ground) for ground in ("ground", "raised", "bubble", "bad-tint")],
    *[("text-soft", ground) for ground in ("ground", "raised", "bubble", "sunken")],
    *[(kind, f"{kind}-tint") for kind in ("ok", "busy", "warn", "bad")],
    *[("bad", ground) for ground in ("ground", "raised")],
    *[("on-accent", ground) for ground in ("accent", "accent-strong")],
    *[("on-own", "own"), ("own-soft", "own"), ("accent", "raised")],
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_can_be_read(text: str, ground: str, scheme: int):
    one, other = (re.findall(r"#\w{6}", COLOURS[name]) for name in (text, ground))
    assert contrast(one[scheme % len(one)], other[scheme % len(other)]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "raised"])
@pytest.mark.parametrize("edge", ["line-strong", "focus"])
def test_edges_of_controls_can_be_seen(edge: str, ground: str, scheme: int):
    one, other = (re.findall(r"#\w{6}", COLOURS[name])[scheme] for name in (edge, ground))
    assert contrast(one, other) >= 3
