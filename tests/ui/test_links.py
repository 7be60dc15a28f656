"""Web addresses become links; nothing else does, and no character is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.links import pieces


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.org/a?b=c#d.", ["https://example.org/a?b=c#d"]),
        ("(https://example.org/a_(b))", ["https://example.org/a_(b)"]),
        ("HTTP://EXAMPLE.ORG!", ["HTTP://EXAMPLE.ORG"]),
        ("mailto:a@example.org, https://b.example", ["mailto:a@example.org", "https://b.example"]),
        ("こちらhttps://example.org/絆。です", []),
        ("こちら https://example.org/絆。です", ["https://example.org/絆"]),
        ("https://", []),
        ("javascript:alert(1)", []),
        ("data:text/html,<b>", []),
        ('<a href="https://example.org">x</a>', ["https://example.org"]),
        ("example.org and ftp://example.org", []),
        ("xhttps://example.org", []),
    ],
)
def test_addresses_are_found(text: str, links: list[str]):
    assert [piece.link for piece in pieces(text) if piece.link] == links


@given(
    st.text()
    | st.lists(st.sampled_from(["https://a.b", "(", ")", ".", " ", "x", "http://", "\n"])).map("".join)
)
def test_the_pieces_are_the_text(text: str):
    found = pieces(text)
    assert "".join(piece.text for piece in found) == text
    assert all(piece.link == piece.text for piece in found if piece.link)
    assert all(
        piece.link.lower().startswith(("http://", "https://", "mailto:")) for piece in found if piece.link
    )
