"""Everything that can be broken on command, broken in the demo: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import pytest

from kizuna.testing import Fault, FaultPlatform
from tests.demo.demo_page import DemoPage


@pytest.mark.parametrize("fault", Fault)
async def test_a_fault_in_the_demo_loses_nothing(fault: Fault):
    page = DemoPage(around=FaultPlatform)
    faults = page.platform
    assert isinstance(faults, FaultPlatform)
    await page.open()
    await page.say("before")
    await page.browser.until(lambda: page.own[-1][1] == "sent")
    faults.arm(fault)
    await page.say("during one", "during two")
    await page.browser.advance(30)
    faults.lift(fault)
    await page.say("after")
    await page.browser.until(lambda: page.store.state.caught_up and page.store.state.waiting == 0)
    assert page.own == [(text, "sent") for text in ("before", "during one", "during two", "after")]
    assert len(page.heard) == len(set(page.heard))
    await page.browser.advance(5)
    log = page.server.log("general")
    assert [entry.seq for entry in page.store.state.timeline.entries] == [item["seq"] for item in log.items]
