"""The drawings of the packages show the imports that there are, and stay small enough to read."""

import grimp
import pytest

from tools.reports import packages
from tools.reports.documents import rewritten


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*packages.DRAWN, cache_dir=None)


def test_the_document_is_up_to_date():
    page = packages.DOCUMENT.read_text(encoding="utf-8")
    assert rewritten(page, "packages", packages.section()) == page, "run `make diagrams`"


@pytest.mark.parametrize(("package", "most"), [("kizuna", 15), ("ui", 9), ("backend", 7)])
def test_a_package_has_few_parts_and_no_circle(graph: grimp.ImportGraph, package: str, most: int):
    assert len(packages.parts(graph, package)) <= most
    assert not packages.has_circle(packages.imports_between_parts(graph, package))


def test_entry_points_that_are_not_drawn_only_call_one_module(graph: grimp.ImportGraph):
    for package, entry_points in packages.DRAWN.items():
        for name in entry_points:
            assert len(graph.find_modules_directly_imported_by(f"{package}.{name}")) == 1
            assert graph.find_modules_that_directly_import(f"{package}.{name}") == set()


def test_an_arrow_that_follows_from_others_is_left_out():
    arrows = frozenset({("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")})
    assert packages.without_shortcuts(arrows) == {("a", "b"), ("b", "c"), ("d", "c")}


def test_a_circle_is_found():
    assert packages.has_circle(frozenset({("a", "b"), ("b", "c"), ("c", "a")}))
    assert not packages.has_circle(frozenset({("a", "b"), ("a", "c"), ("b", "c")}))
