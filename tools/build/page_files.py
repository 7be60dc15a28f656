"""The list of files in pyscript.toml: every module of the page in app/, and its catalogues. `make files` writes it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADING = "[files]\n"
#: The package that the page loads only as a demo, from app/, and its catalogues, from static/.
DEMO, DEMO_TEXTS = Path("demo"), Path("i18n", "demo")
#: What no page loads when it starts, from app/: what runs on CPython alone, and the demo.
NOT_IN_A_PAGE = (
    *map(
        Path,
        ("kizuna/__main__.py", "kizuna/aio", "kizuna/testing/conformance", "kizuna/testing/pytest_plugin.py"),
    ),
    DEMO,
)


def page_files(root: Path) -> dict[str, str]:
    """Return what PyScript fetches, from the root of the tree, and where Python finds it."""
    modules = sorted(path.relative_to(root) for path in page_modules(root).values())
    catalogues = sorted(path.relative_to(root) for path in (root / "static" / "i18n").glob("*.json"))
    return {
        path.as_posix(): f"./{path.relative_to(path.parts[0]).as_posix()}" for path in (*modules, *catalogues)
    }


def page_modules(root: Path) -> dict[Path, Path]:
    """Return the modules of the page, by their paths from app/."""
    modules = {path.relative_to(root / "app"): path for path in (root / "app").rglob("*.py")}
    return {
        place: path
        for place, path in modules.items()
        if not any(place.is_relative_to(other) for other in NOT_IN_A_PAGE)
    }


def demo_files(root: Path) -> dict[str, str]:
    """Return what the page fetches for the demo, from the root of the tree, and where Python finds it."""
    modules = (root / "app" / DEMO).rglob("*.py")
    catalogues = (root / "static" / DEMO_TEXTS).glob("*.json")
    paths = sorted(path.relative_to(root) for path in (*modules, *catalogues))
    return {path.as_posix(): path.relative_to(path.parts[0]).as_posix() for path in paths}


def rewritten(settings: str, files: dict[str, str]) -> str:
    """Return the text of pyscript.toml with these files in place of those that it lists, which come last in it."""
    before, heading, _ = settings.partition(HEADING)
    if not heading:
        raise ValueError("pyscript.toml has no [files]: put it at the end")
    return before + heading + "".join(f'"{path}" = "{place}"\n' for path, place in files.items())


def main() -> None:
    """Write the list anew."""
    settings = ROOT / "pyscript.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(rewritten(text, page_files(ROOT)), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
