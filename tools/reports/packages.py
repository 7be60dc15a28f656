"""Drawings of the packages in docs/architecture.md, from the imports that they have. `make diagrams` writes them."""

from __future__ import annotations

import grimp

from tools.reports.documents import ROOT, rewritten

DOCUMENT = ROOT / "docs" / "architecture.md"
#: Package -> what its drawing leaves out: entry points, which import one module each and which nothing imports.
DRAWN = {
    "kizuna": frozenset({"__main__"}),
    "ui": frozenset[str](),
    "backend": frozenset({"admin", "backup", "restore", "server"}),
}

Arrows = frozenset[tuple[str, str]]


def imports_between_parts(graph: grimp.ImportGraph, package: str) -> Arrows:
    """Return which direct part of ``package`` imports which other, by their names in it."""
    found = set()
    for module in graph.find_descendants(package):
        for imported in graph.find_modules_directly_imported_by(module):
            if imported.startswith(f"{package}."):
                pair = (module.split(".")[1], imported.split(".")[1])
                if pair[0] != pair[1] and not DRAWN[package] & {*pair}:
                    found.add(pair)
    return frozenset(found)


def parts(graph: grimp.ImportGraph, package: str) -> list[str]:
    """Return the direct parts of ``package`` that its drawing has as boxes."""
    return sorted({child.split(".")[1] for child in graph.find_children(package)} - DRAWN[package])


def without_shortcuts(arrows: Arrows) -> Arrows:
    """Return ``arrows`` without those that lead where others lead as well. There must be no circle in them."""
    return frozenset(
        (source, target)
        for source, target in arrows
        if target not in _reached(arrows - {(source, target)}, source)
    )


def has_circle(arrows: Arrows) -> bool:
    """Return whether some part imports itself by way of others."""
    return any(source in _reached(arrows, source) for source, _ in arrows)


def drawing(graph: grimp.ImportGraph, package: str) -> str:
    """Return a Mermaid block: one box for each part of ``package``, arrows from what imports to what is imported."""
    boxes = (f"    {package}.{part}[{part}]" for part in parts(graph, package))
    arrows = (
        f"    {package}.{source} --> {package}.{target}"
        for source, target in sorted(without_shortcuts(imports_between_parts(graph, package)))
    )
    return "\n".join([f"`{package}`:\n", "```mermaid", "flowchart TB", *boxes, *arrows, "```"])


def section() -> str:
    """Return all that stands between the marks."""
    graph = grimp.build_graph(*DRAWN, cache_dir=None)
    return "\n\n".join(drawing(graph, package) for package in DRAWN)


def _reached(arrows: Arrows, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        new = {target for source, target in arrows if source == here} - found
        found |= new
        waiting += new
    return found


def main() -> None:
    """Bring docs/architecture.md up to date."""
    page = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(rewritten(page, "packages", section()), encoding="utf-8")


if __name__ == "__main__":
    main()
