"""Only the part of a document that belongs to a report is rewritten."""

import pytest

from tools.reports.documents import rewritten


def test_a_document_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="no part for this: <!-- states -->"):
        rewritten("# Kizuna", "states", "text")


def test_what_stands_around_the_marks_is_left_alone():
    page = "before\n<!-- a -->\nold\n<!-- end of a -->\nafter"
    assert rewritten(page, "a", "new") == "before\n<!-- a -->\nnew\n<!-- end of a -->\nafter"
