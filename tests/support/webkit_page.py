"""A user's page in WebKitGTK, driven by Selenium."""

from __future__ import annotations

from typing import Any

from selenium.common.exceptions import JavascriptException, StaleElementReferenceException
from selenium.webdriver import Keys, WebKitGTK
from selenium.webdriver.common.by import By

from tests.support.page_driver import PageDriver


class WebKitPage(PageDriver):
    """A user's page, driven by Selenium."""

    def __init__(self, browser: WebKitGTK, home: str, name: str) -> None:
        super().__init__(home, name)
        self._browser = browser

    def run(self, function: str, argument: object = None) -> Any:
        try:
            return self._browser.execute_script(f"return ({function})(arguments[0])", argument)
        except (JavascriptException, StaleElementReferenceException) as error:
            raise AssertionError(f"another page takes its place, or: {error.msg}") from error

    def begin_to_open(self, room: str, query: str = "") -> None:
        """Request the page, in English."""
        super().begin_to_open(room, f"?lang=en{query.replace('?', '&')}")

    def go(self, address: str) -> None:
        """Request an address; waits until it has loaded, unless the browser was started with ``waits=False``."""
        self._browser.get(address)

    def press(self, button: str) -> None:
        self._browser.find_element(By.XPATH, f"//button[normalize-space()='{button}']").click()

    def write(self, selector: str, text: str, *, enter: bool = False) -> None:
        self._browser.find_element(By.CSS_SELECTOR, selector).send_keys(text, *[Keys.ENTER] * enter)

    def hide(self) -> None:
        """Minimise the window."""
        self._browser.minimize_window()
        self.wait_for_visibility("hidden")

    def show(self) -> None:
        """Bring the window back, as large as it can be."""
        self._browser.maximize_window()
        self.wait_for_visibility("visible")

    def set_offline(self, offline: bool) -> None:
        """Set the flag by a script, since WebKit has nothing else."""
        self.claim_offline(offline)

    def wait_for_messages(self, *expected: tuple[str, str]) -> None:
        """Wait until the messages have these texts and states, in this order."""
        self._until(
            lambda: [(shown.text, shown.state) for shown in self.messages] == list(expected),
            f"{expected} on the screen",
        )

    def wait_for_words(self, phase: str) -> None:
        """Wait until the splash shows this phase of loading (static/boot/boot.js)."""
        words = f"#splash [data-phase={phase}]"
        self._until(lambda: self.run("(words) => document.querySelector(words) !== null", words), words)
