"""Everybody sees every message once and in order, whatever happens to pages, network and server.

`KIZUNA_EXAMPLES=5000 make unit ARGS="-k TestTogether"` tries harder; a smaller number is for the impatient.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.simulation.machine import Together, machine_settings

EXAMPLES = int(os.environ.get("KIZUNA_EXAMPLES", "300"))
STEPS = 40

TestTogether = pytest.mark.timeout(600 + EXAMPLES)(Together.TestCase)
TestTogether.settings = settings(
    **machine_settings(max_examples=EXAMPLES, stateful_step_count=STEPS),
    suppress_health_check=[HealthCheck.too_slow],
)
