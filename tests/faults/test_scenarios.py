"""What can befall a release beyond a failed call, and a short soak; the bench has a long one."""

from collections.abc import Callable

import pytest

from bench.faults.scenarios import SCENARIOS
from bench.faults.soak import soak
from bench.faults.world import World


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenario_is_survived(world: World, scenario: Callable[[World], str]) -> None:
    assert scenario(world)


def test_clients_notice_no_update(world: World) -> None:
    result = soak(world, updates=4, rollbacks=1, clients=2)
    assert result.failures == []
    assert result.versions == 5
    assert result.rollbacks == 1
