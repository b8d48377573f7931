"""What steps tell is summed by name, and a figure that is not finite is named with its step."""

import pytest
import torch

from model.figures import NotFiniteError, add_up, means_of, policy_figures


def step(**figures: float) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value) for name, value in figures.items()}


def test_means_are_over_all_steps():
    sums: dict[str, float] = {}
    add_up(sums, [], last_step=0)
    assert means_of(sums) == {}
    add_up(sums, [step(loss=1.0, reward=-2.0), step(loss=2.0, reward=-1.0)], last_step=2)
    add_up(sums, [step(loss=6.0, reward=0.0)], last_step=3)
    assert means_of(sums) == {"loss": 3.0, "reward": -1.0}
    assert policy_figures(means_of(sums)) == {"reward": -1.0}


def test_first_broken_step_is_named():
    sums: dict[str, float] = {}
    pending = [step(loss=1.0), step(loss=float("inf")), step(loss=float("nan"))]
    with pytest.raises(NotFiniteError, match=r"Step 8: loss inf; expected finite"):
        add_up(sums, pending, last_step=9)
    assert sums == {"loss": 1.0, "steps": 1}
