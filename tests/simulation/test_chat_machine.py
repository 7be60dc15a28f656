"""Everybody sees every message once and in order, whatever happens to pages, network and server.

`KIZUNA_EXAMPLES=5000 make unit ARGS="-k TestTogether"` tries harder; a smaller number is for the impatient.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.simulation.chat_machine import ChatMachine, machine_settings
from tests.support.depth import examples

EXAMPLES = examples(quick=20, deep=1500)
STEPS = 40

TestChatMachine = pytest.mark.timeout(600 + EXAMPLES)(ChatMachine.TestCase)
TestChatMachine.settings = settings(
    **machine_settings(max_examples=EXAMPLES, stateful_step_count=STEPS),
    suppress_health_check=[HealthCheck.too_slow],
)
