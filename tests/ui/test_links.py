"""Web addresses become links; nothing else does, and no character is lost."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ui.messages.links import MAX_LINK_CHARACTERS, MAX_LINKS, pieces


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.org/a?b=c#d.", ["https://example.org/a?b=c#d"]),
        ("(https://example.org/a_(b))", ["https://example.org/a_(b)"]),
        ("HTTP://EXAMPLE.ORG!", ["HTTP://EXAMPLE.ORG"]),
        ("mailto:a@example.org, https://b.example", ["mailto:a@example.org", "https://b.example"]),
        ("こちらhttps://example.org/絆。です", ["https://example.org/絆"]),
        ("こちら https://example.org/絆。です", ["https://example.org/絆"]),
        # Right behind and right before words that need no spaces
        ("こちら→https://example.com", ["https://example.com"]),
        ("１https://example.com _https://example.org", ["https://example.com", "https://example.org"]),
        ("caféhttps://example.com", ["https://example.com"]),
        ("https://example.comを見て", ["https://example.com"]),
        ("https://example.com:8000を見て", ["https://example.com:8000"]),
        ("https://example.com/です", ["https://example.com/"]),
        ("https://example.com/page?q=1を見て", ["https://example.com/page?q=1"]),
        ("https://example.com/%E7%B5%86を見て", ["https://example.com/%E7%B5%86"]),
        ("https://ja.example.org/wiki/ひらがな", ["https://ja.example.org/wiki/ひらがな"]),
        ("https://ja.example.org/?q=絆&x=愛。", ["https://ja.example.org/?q=絆&x=愛"]),
        ("「https://example.com」（https://example.org）", ["https://example.com", "https://example.org"]),
        ("ดูที่https://example.comนะครับ", ["https://example.com"]),
        ("https://th.example.org/ข่าว ใหม่", ["https://th.example.org/ข่าว"]),
        (
            "شاهدhttps://example.com/aهنا، https://example.org؟",
            ["https://example.com/a", "https://example.org"],
        ),
        ("请看https://example.com/a这里", ["https://example.com/a"]),
        ("https://example.com/a에서", ["https://example.com/a"]),
        ("देखेंhttps://example.com।", ["https://example.com"]),
        ("https://日本語.jp/ and https://例え.テスト", ["https://日本語.jp/", "https://例え.テスト"]),
        ("https://vi.example.org/Việt_Nam", ["https://vi.example.org/Việt_Nam"]),
        ("https://ru.example.org/wiki/Чат.", ["https://ru.example.org/wiki/Чат"]),
        ("https://example.com🎉 “https://example.org”…", ["https://example.com", "https://example.org"]),
        # Without a scheme
        ("see www.example.org/a.", ["https://www.example.org/a"]),
        ("(WWW.Example.org: yes)", ["https://WWW.Example.org"]),
        (
            "ada@example.org, <ben.b+c@mail.example.org>",
            ["mailto:ada@example.org", "mailto:ben.b+c@mail.example.org"],
        ),
        ("mail ada@example.org.", ["mailto:ada@example.org"]),
        ("adaへada@example.orgです", []),
        ("www. www.. wwww.example.org awww.example.org", []),
        ("@ada a@b a@@b.example a@b.example@c.example ada@example", []),
        ("https://ada@b.example/ and x@y", []),
        # What would seem to lead elsewhere
        ("https://evil.example/\u202emoc.elgoog//:sptth and", ["https://evil.example/"]),
        (
            "https://a.example/\u2066b \u200bhttps://b.example\u200b/",
            ["https://a.example/", "https://b.example"],
        ),
        ("https://a.example/x\xady", ["https://a.example/x"]),
        ("https://a.example\u2044.b.example", ["https://a.example"]),
        ("https://a.example/x\u3164y", ["https://a.example/x"]),
        ("https://good.example@evil.example/ https://a:b@c.example", []),
        ("https://example.org/@ada", ["https://example.org/@ada"]),
        # Nothing that leads anywhere
        ("https://", []),
        ("https:/// https://?x https://)", []),
        ("mailto: mailto:.", []),
        ("javascript:alert(1)", []),
        ("data:text/html,<b>", []),
        ('<a href="https://example.org">x</a>', ["https://example.org"]),
        ("example.org and ftp://example.org", []),
        ("xhttps://example.org", []),
    ],
)
def test_addresses_are_found_in_sentences_of_every_script(text: str, links: list[str]):
    assert [piece.link for piece in pieces(text) if piece.link] == links


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                "https://a.b",
                "(",
                ")",
                ".",
                " ",
                "x",
                "http://",
                "\n",
                "を",
                "/",
                "@",
                "\u202e",
                "mailto:",
                "www.",
                "example.org",
            ]
        )
    ).map("".join)
)
def test_the_pieces_are_the_text(text: str):
    found = pieces(text)
    assert "".join(piece.text for piece in found) == text
    assert all(
        piece.link in (piece.text, f"https://{piece.text}", f"mailto:{piece.text}")
        for piece in found
        if piece.link
    )
    assert all(
        piece.link.lower().startswith(("http://", "https://", "mailto:")) for piece in found if piece.link
    )


def test_a_message_has_at_most_fifty_links():
    text = "https://a.example " * (MAX_LINKS + 5)
    found = pieces(text)
    assert sum(piece.link is not None for piece in found) == MAX_LINKS
    assert "".join(piece.text for piece in found) == text


def test_an_address_of_more_than_2000_characters_is_text():
    longest = "https://a.example/".ljust(MAX_LINK_CHARACTERS, "x")
    assert pieces(f"{longest} {longest}x")[0].link == longest
    assert len(pieces(f"{longest} {longest}x")) == 2


def work(text: str) -> int:
    """Lines that run, and characters that calls into C may look at, while links are sought in ``text``."""
    done, before = 0, sys.gettrace()

    def count(frame: FrameType, event: str, called: Any) -> Any:
        nonlocal done
        if event == "line":
            done += 1
        elif event == "c_call":
            done += len(called.__self__) if isinstance(called.__self__, str) else 1
        return count

    sys.setprofile(count)
    sys.settrace(count)
    try:
        pieces(text)
    finally:
        sys.settrace(before)
        sys.setprofile(None)
    return done


@pytest.mark.parametrize("hostile", [")", ".", "()", ").", "https://", "https://a.b ", "あ)", "@"])
def test_twice_the_text_is_at_most_twice_the_work(hostile: str):
    once, twice = (work("https://あ" + hostile * number) for number in (500, 1000))
    assert twice <= 2.1 * once
