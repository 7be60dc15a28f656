"""Would the machine over pages, network and server notice if something were broken?"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation import sabotage
from tests.simulation.machine import Together, machine_settings
from tests.simulation.sabotage import Sabotage

#: Enough for whatever seed: the hardest to find took 35.
EXAMPLES = 200


@pytest.mark.parametrize("break_it", sabotage.ALL, ids=lambda sabotage: sabotage.__name__)
def test_what_is_broken_is_found(break_it: Sabotage, monkeypatch: pytest.MonkeyPatch):
    break_it(monkeypatch)
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(
            seed(sabotage.ALL[break_it])(type("Sabotaged", (Together,), {})),
            settings=settings(
                **machine_settings(max_examples=EXAMPLES, stateful_step_count=40),
                phases=[Phase.generate],
                report_multiple_bugs=False,
                print_blob=False,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    assert "TypeError" not in str(found.value), "the fault was put in wrongly, and not found"
