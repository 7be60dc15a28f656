"""Timers that are not delayed in a hidden page.

Browsers delay those of a hidden page: to one wake-up a second, Chromium after some minutes to one a minute. Those of a
dedicated worker run on time. So each timer is set twice, in the page and in the worker, and the first to fire counts.
In a frozen page neither runs. The worker also notices that the machine slept, which the page cannot tell from a long
computation; for that a program in a worker, whose timers are not delayed, has one, too.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable

import js
from pyodide.ffi import JsException, to_js

from kizuna.browser.proxies import BrowserTimer, ProxyOwner, delay_until, js_object

logger = logging.getLogger("kizuna.ticks")

#: The worker's JavaScript. Pages whose Content-Security-Policy allows no ``blob:`` serve this very text as a file.
WORKER_SOURCE = """\
// Kizuna's ticks: the timers of a worker are not held back when the page is hidden, nor by a page that computes.
// {id, delay} arms one (delay in milliseconds), {id} disarms it; when it is due, its id is posted. Once a second the
// clocks are compared with the last time: where one has jumped, the machine slept, and {slept} is posted (in
// milliseconds). The same text as in app/kizuna/browser/ticks.py.
const armed = new Map();
onmessage = ({ data: { id, delay } }) => {
  clearTimeout(armed.get(id));
  armed.delete(id);
  if (delay !== undefined) armed.set(id, setTimeout(() => { armed.delete(id); postMessage(id); }, delay));
};
const SECOND = 1000, GAP = 3000;
const read = () => [Date.now(), performance.now()]; // which of them goes on in sleep differs from browser to browser
let last = read();
setInterval(() => {
  const now = read();
  const slept = Math.max(now[0] - last[0], now[1] - last[1]) - SECOND;
  last = now;
  if (slept > GAP) postMessage({ slept });
}, SECOND);
"""


#: Pages whose Content-Security-Policy asks for Trusted Types allow the policy of this name (``trusted-types``).
TRUSTED_POLICY = "kizuna-ticks"


class Ticks:
    """The one worker of a platform, from ``start()`` to ``stop()``, and the timers set in it.

    Args:
        url: As ``worker_url`` of BrowserPlatform. Without a worker only the page's timers fire, with one warning.
        on_slept: Called when the worker noticed that the machine slept.
    """

    def __init__(self, url: str | None, on_slept: Callable[[], None]) -> None:
        self._url = url
        self._on_slept = on_slept
        self._armed: dict[int, Tick] = {}  # a worker that starts later gets them all
        self._numbers = itertools.count(1)
        self._worker: js.Worker | None = None
        self._blob_url = ""
        self._proxies = ProxyOwner()
        self._has_ticked = False
        self._has_warned = False

    @property
    def are_on_time(self) -> bool:
        """Return whether a worker has answered: one that was just made may never start."""
        return self._has_ticked

    def start(self) -> None:
        """Start the worker, unless it runs."""
        if self._worker is not None:
            return
        if not getattr(js, "Worker", None):
            self._warn_once("this browser has no workers")
            return
        try:
            self._worker = js.Worker.new(_trusted(self._url or self._make_blob()), name="kizuna-ticks")
        except JsException as error:
            self._fail(f"{error.name}: {error.message}")
            return
        self._worker.onmessage = self._proxies.hold(self._on_message)
        self._worker.onerror = self._proxies.hold(self._on_error)
        for tick in sorted(self._armed.values(), key=lambda tick: tick.when):
            self._post(tick)

    def stop(self) -> None:
        """Stop the worker. Timers stay set in the page."""
        worker, self._worker = self._worker, None
        self._has_ticked = False
        self._revoke_blob()
        if worker is not None:
            worker.onmessage = worker.onerror = None
            worker.terminate()
            self._proxies.release()

    def call_at(self, when: float, callback: Callable[[], None]) -> Tick:
        """Call ``callback`` once at ``when`` (monotonic seconds)."""
        number = next(self._numbers)
        tick = Tick(self, number, when, callback)
        self._armed[number] = tick
        self._post(tick)
        return tick

    def cancel(self, tick: Tick) -> None:
        """Cancel ``tick`` in the worker."""
        if self._armed.pop(tick.number, None) is not None and self._worker is not None:
            self._worker.postMessage(js_object(id=tick.number))

    def discard(self, tick: Tick) -> None:
        """Drop ``tick``, which fired in the page: it is too late to cancel it in the worker."""
        self._armed.pop(tick.number, None)

    def _post(self, tick: Tick) -> None:
        if self._worker is not None:
            self._worker.postMessage(js_object(id=tick.number, delay=delay_until(tick.when)))

    def _make_blob(self) -> str:
        blob = js.Blob.new(to_js([WORKER_SOURCE]), type="text/javascript")
        self._blob_url = js.URL.createObjectURL(blob)
        return self._blob_url

    def _revoke_blob(self) -> None:
        if self._blob_url:
            js.URL.revokeObjectURL(self._blob_url)
            self._blob_url = ""

    def _on_message(self, event: js.MessageEvent) -> None:
        self._has_ticked = True
        self._revoke_blob()
        if not isinstance(event.data, int):
            self._on_slept()
            return
        tick = self._armed.pop(event.data, None)
        if tick is not None:
            tick.fire()

    def _on_error(self, event: js.Event) -> None:
        event.preventDefault()  # logged below, once
        self._fail(f"{self._url or 'a blob: URL'} could not be loaded or run")

    def _fail(self, why: str) -> None:
        self.stop()
        self._warn_once(why)

    def _warn_once(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("no worker for the timers (%s): they may be late while the page is hidden", why)


def _trusted(url: str) -> js.TrustedScriptURL | str:
    """Return the URL as a page with Trusted Types accepts it: every URL here comes from the program itself."""
    policy = _policy()
    return url if policy is None else policy.createScriptURL(url)


@functools.cache  # a page may create a policy of one name only once
def _policy() -> js.TrustedTypePolicy | None:
    if not getattr(js, "trustedTypes", None):
        return None
    try:
        return js.trustedTypes.createPolicy(TRUSTED_POLICY, js_object(createScriptURL=js.String))
    except JsException:  # not allowed here: the browser checks the URL itself
        return None


class Tick:
    """One timer, set in the page and in the worker: the first to fire counts."""

    def __init__(self, ticks: Ticks, number: int, when: float, callback: Callable[[], None]) -> None:
        self.number = number
        self.when = when
        self._ticks = ticks
        self._callback = callback
        self._in_page = BrowserTimer(when, self._on_page_timer)

    def cancel(self) -> None:
        """Cancel the timer; no effect after it has fired."""
        self._ticks.cancel(self)
        self._in_page.cancel()

    def fire(self) -> None:
        """Fire, as the worker's timer."""
        self._in_page.cancel()
        self._callback()

    def _on_page_timer(self) -> None:
        self._ticks.discard(self)
        self._callback()
