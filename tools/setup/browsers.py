"""The browsers of the end-to-end tests: finds them, and installs missing ones where possible.

`find_browsers()` is for the tests. `python -m tools.setup.browsers` is for the Makefile: as root on Debian it installs
what is missing; elsewhere it prints a line for each browser whose tests will be skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.setup import step

#: Fonts for screenshots that look the same on every machine: Latin, Japanese, emoji.
FONT_PACKAGES = ("fonts-dejavu-core", "fonts-ipafont-gothic", "fonts-noto-color-emoji")

#: Chromium without windows, in which a new page is a second faster. Not every release of Debian has it; tests also run
#: without it.
HEADLESS_SHELL = "chromium-headless-shell"

#: macOS keeps applications off PATH.
MAC_CHROME = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
MAC_FIREFOX = Path("/Applications/Firefox.app/Contents/MacOS/firefox")


@dataclass(frozen=True, slots=True)
class Browsers:
    """The path of each program, None if it is missing. WebKit needs webkit_driver, minibrowser and xvfb_run."""

    chromium: Path | None
    firefox: Path | None
    webkit_driver: Path | None
    minibrowser: Path | None
    xvfb_run: Path | None
    headless_shell: Path | None = None

    @property
    def webkit(self) -> bool:
        """Whether all programs for tests in WebKit are installed."""
        return None not in (self.webkit_driver, self.minibrowser, self.xvfb_run)


def find_browsers() -> Browsers:
    """Find the programs on PATH, and where Debian and macOS put them outside of PATH."""
    return Browsers(
        chromium=_program("chromium", "chromium-browser", "google-chrome", elsewhere=[MAC_CHROME]),
        firefox=_program("firefox-esr", "firefox", elsewhere=[MAC_FIREFOX]),
        webkit_driver=_program("WebKitWebDriver"),
        minibrowser=_program("MiniBrowser", elsewhere=Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")),
        xvfb_run=_program("xvfb-run"),
        headless_shell=_program(HEADLESS_SHELL),
    )


def missing_packages(found: Browsers) -> dict[str, list[str]]:
    """Return browser -> the Debian packages that it lacks; a complete browser has no entry."""
    missing: dict[str, list[str]] = {}
    if found.chromium is None:
        missing["Chromium"] = ["chromium"]
    if found.firefox is None:
        missing["Firefox"] = ["firefox-esr"]
    if not found.webkit:
        missing["WebKit"] = ["webkit2gtk-driver", "xvfb", "xauth"]
    return missing


def install(packages: list[str]) -> int:
    """Install Debian packages without questions, waiting for another apt; return apt-get's exit code."""
    apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"]
    if code := step.run("Reading Debian's list of packages", [*apt_get, "update"]):
        return code
    here = [package for package in packages if package != HEADLESS_SHELL or _has_headless_shell()]
    return step.run(
        f"Installing {' '.join(here)}", [*apt_get, "install", "--yes", "--no-install-recommends", *here]
    )


def _has_headless_shell() -> bool:
    """Return whether this release of Debian has the package."""
    asked = subprocess.run(["apt-cache", "show", HEADLESS_SHELL], capture_output=True, check=False)
    return asked.returncode == 0


def main() -> int:
    """Install what is missing, or print what will be skipped. A missing browser is no failure."""
    found = find_browsers()
    missing = missing_packages(found)
    if may_install():
        wanted = [package for packages in missing.values() for package in packages] + missing_fonts()
        if found.headless_shell is None and (found.chromium is None or _has_headless_shell()):
            wanted.append(HEADLESS_SHELL)
        if wanted:
            install(wanted)
        missing = missing_packages(find_browsers())
    for browser, packages in missing.items():
        print(
            f"{browser} is missing, its tests will be skipped (on Debian: apt install {' '.join(packages)})"
        )
    return 0


def may_install() -> bool:
    """Return whether this is root on Debian."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def missing_fonts() -> list[str]:
    """Return the font packages that are not installed."""
    if shutil.which("dpkg-query") is None:
        return []
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n", *FONT_PACKAGES]
    listed = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return [package for package in FONT_PACKAGES if f"installed {package}" not in listed]


def _program(*names: str, elsewhere: Iterable[Path] = ()) -> Path | None:
    on_path = (shutil.which(name) for name in names)
    places = [Path(path) for path in on_path if path] + sorted(elsewhere, reverse=True)
    return next((place for place in places if os.access(place, os.X_OK)), None)


if __name__ == "__main__":
    sys.exit(main())
