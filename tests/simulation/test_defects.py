"""The chat machine finds each defect."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation import defects
from tests.simulation.chat_machine import ChatMachine, machine_settings
from tests.simulation.defects import Defect

#: Enough for any seed: 35 were needed at most.
EXAMPLES = 200


@pytest.mark.parametrize("defect", defects.ALL, ids=lambda defect: defect.__name__)
def test_each_defect_is_found(defect: Defect, monkeypatch: pytest.MonkeyPatch):
    defect(monkeypatch)
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(
            seed(defects.ALL[defect])(type("Sabotaged", (ChatMachine,), {})),
            settings=settings(
                **machine_settings(max_examples=EXAMPLES, stateful_step_count=40),
                phases=[Phase.generate],
                report_multiple_bugs=False,
                print_blob=False,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    assert "TypeError" not in str(found.value), "the defect itself failed, so nothing was found"
