"""Who may enter which room."""

from backend.auth.permissions import may_join


def test_everybody_may_join_every_room_so_far():
    assert may_join("u", "general")
