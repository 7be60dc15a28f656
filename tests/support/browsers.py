"""Starts the engines on Debian.

Playwright drives Chromium and Firefox ESR, Selenium drives WebKitGTK's MiniBrowser on a virtual screen. One Chromium
is started by hand, since pages that Playwright creates are never hidden and their timers never throttled.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Playwright, TimeoutError as TimedOut
from selenium.webdriver import WebKitGTK
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from tests.support.waiting import eventually

#: Chromium as root and without the internet needs these flags to print no errors.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Compile WebAssembly only once and quickly: compiling hot code again is a fifth of a page's start.
COMPILE_ONCE = "--js-flags=--liftoff-only"


def is_headed() -> bool:
    """Return whether the browser's window is to be shown (HEADED=1)."""
    return bool(os.environ.get("HEADED"))


def chromium(playwright: Playwright, program: Path, *flags: str) -> Browser:
    """Start the Chromium of most tests, for a `with`. ``flags``: further ones."""
    arguments = [*CHROMIUM_FLAGS, *flags]
    return playwright.chromium.launch(executable_path=program, args=arguments, headless=not is_headed())


@contextlib.contextmanager
def chromium_that_hides(playwright: Playwright, program: Path, *flags: str) -> Iterator[BrowserContext]:
    """Start a Chromium by hand, whose tabs behind the newest one are hidden. ``flags``: further ones."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = [
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            *CHROMIUM_FLAGS,
            *flags,
        ]
        process = subprocess.Popen(
            [program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            announced = Path(profile) / "DevToolsActivePort"  # its first line, once it listens
            port = eventually(lambda: announced.exists() and announced.read_text().partition("\n")[0])
            browser = _attach(playwright, f"http://127.0.0.1:{port}")
            yield browser.contexts[0]
            browser.close()
        finally:
            process.terminate()
            process.wait(10)


def _attach(playwright: Playwright, address: str) -> Browser:
    """Connect to a running Chromium, which sometimes does not answer the first attempt after its start."""
    for seconds in (2, 10):
        with contextlib.suppress(TimedOut):
            return playwright.chromium.connect_over_cdp(address, no_defaults=True, timeout=seconds * 1000)
    return playwright.chromium.connect_over_cdp(address, no_defaults=True)


def firefox(playwright: Playwright, program: Path) -> Browser:
    """Start Debian's Firefox ESR over WebDriver BiDi, for a `with`."""
    return playwright.firefox.launch(channel="moz-firefox", executable_path=program)


@contextlib.contextmanager
def webkit(driver: Path, minibrowser: Path, *, waits: bool = True) -> Iterator[WebKitGTK]:
    """Start WebKitGTK's MiniBrowser on a virtual screen. ``waits``: until an address has loaded."""
    options = Options()
    options.binary_location = str(minibrowser)
    options.add_argument("--automation")
    options.page_load_strategy = "normal" if waits else "none"
    with _virtual_screen() as display:
        service = Service(str(driver), env={**os.environ, "DISPLAY": display})
        with WebKitGTK(options=options, service=service) as browser:
            yield browser


@contextlib.contextmanager
def _virtual_screen() -> Iterator[str]:
    """Start an X server without a screen, and yield the display that it has chosen."""
    program = shutil.which("Xvfb")
    assert program is not None, "xvfb-run without Xvfb"
    readable, writable = os.pipe()
    try:
        arguments = ["-displayfd", str(writable), "-screen", "0", "1280x1000x24", "-nolisten", "tcp"]
        process = subprocess.Popen([program, *arguments], pass_fds=[writable], stderr=subprocess.DEVNULL)
        os.close(writable)
        try:
            yield f":{os.read(readable, 20).decode().strip()}"
        finally:
            process.terminate()
            process.wait(10)
    finally:
        os.close(readable)
