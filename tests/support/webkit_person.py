"""A person in front of the page in WebKitGTK, which Selenium drives: the little that tests need of it."""

from __future__ import annotations

from typing import Any

from selenium.webdriver import Keys, WebKitGTK
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.waiting import PATIENCE, eventually


class WebKitPerson:
    """Responsible for using one page in WebKit as a person does."""

    def __init__(self, browser: WebKitGTK, origin: str, name: str) -> None:
        self._browser = browser
        self._origin = origin
        self.name = name

    def open(self, room: str, query: str = "") -> None:
        """Open the page in a room, in English; ``query``: what else its address is to say, such as &start=snapshot."""
        self.begin_to_open(room, query)
        self.wait_until_started()

    def begin_to_open(self, room: str, query: str = "") -> None:
        """The same, without waiting for Python."""
        self._browser.get(f"{self._origin}/?lang=en{query}#/{room}")

    def wait_until_started(self) -> None:
        """Python is there; AssertionError at once when the page says that it will not be."""
        within = PATIENCE * 3  # it has no code cache at all
        self._wait_for("data-page", "live", "failed", within=within)
        assert self.attribute("data-page") == "live", self._element("#splash").text

    def go_to(self, path: str) -> None:
        """Leave the page for something else that the same host serves."""
        self._browser.get(f"{self._origin}/{path}")

    def wait_for_address(self, part: str) -> None:
        """The address holds this."""
        eventually(lambda: part in self._browser.current_url, what=f"an address with {part}")

    def minimize(self) -> None:
        """Put the window away: the page is hidden then."""
        self._browser.minimize_window()

    def restore(self) -> None:
        """Bring the window back, as large as it can be."""
        self._browser.maximize_window()

    def run(self, function: str, argument: object = None) -> Any:
        """The result of a JavaScript function in the page."""
        return self._browser.execute_script(f"return ({function})(arguments[0])", argument)

    def join(self) -> None:
        """Give a name, press Join, and be in the room."""
        self._element("input[name=name]").send_keys(self.name)
        self._browser.find_element(By.XPATH, "//button[normalize-space()='Join']").click()
        self.wait_until_in()

    def wait_until_in(self) -> None:
        """Connected and caught up."""
        self.wait_for_status("connected")
        self._wait_for("data-caught-up", "true")

    def say(self, *texts: str) -> None:
        """Type each of these and press Enter."""
        for text in texts:
            self._element("textarea").send_keys(text, Keys.ENTER)
            eventually(
                lambda: self._element("textarea").get_attribute("value") == "", what="an empty composer"
            )

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The texts on the screen and their states, from top to bottom."""
        shown: list[list[str]] = self._browser.execute_script(
            """return [...document.querySelectorAll('[role="log"] article')].map(article =>
                [article.querySelector('[data-part="content"]').textContent, article.dataset.state])"""
        )
        return [(text, state) for text, state in shown]

    def attribute(self, name: str) -> str | None:
        """What the page says of itself in an attribute of <html>."""
        return self._element("html").get_attribute(name)

    def wait_for_messages(self, *expected: tuple[str, str]) -> None:
        """The messages are these, in this order and in these states."""
        eventually(lambda: self.messages == list(expected), what=f"{expected} on the screen")

    def wait_for_words(self, phase: str) -> None:
        """What is said while Python loads is of this phase (static/boot/boot.js)."""
        words = f"#splash [data-phase={phase}]"
        eventually(lambda: self._browser.find_elements(By.CSS_SELECTOR, words), what=words)

    def wait_for_status(self, *statuses: str) -> None:
        """The status is one of these."""
        self._wait_for("data-status", *statuses)

    def _wait_for(self, attribute: str, *values: str, within: float = PATIENCE) -> None:
        eventually(
            lambda: self._element("html").get_attribute(attribute) in values,
            within,
            every=0.2,
            what=f"{attribute} is {' or '.join(values)}",
        )

    def _element(self, selector: str) -> WebElement:
        return self._browser.find_element(By.CSS_SELECTOR, selector)
