"""What training steps tell, such as their loss: kept on the device, read now and then, averaged.

Reading a number makes a GPU wait for it, so a step hands in scalar tensors by name, and those of
many steps are fetched at once. Sums are plain numbers by name, and "steps" counts them, so that a
resume file can hold them.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

STEPS = "steps"
POLICY = ("reward", "kept_share", "entropy")  # with REINFORCE; see `reinforce_loss`


class NotFiniteError(ArithmeticError):
    """A step gave an infinite number or none; the message names the step and the figures."""


def add_up(sums: dict[str, float], pending: Sequence[dict[str, Tensor]], last_step: int) -> None:
    """Add to `sums` the figures of the steps that end with `last_step`.

    Raises:
        NotFiniteError: one of the figures is not finite; `sums` holds the steps before it.
    """
    if not pending:
        return
    names = list(pending[0])
    rows = torch.stack([torch.stack([step[name] for name in names]) for step in pending]).tolist()
    for step, row in enumerate(rows, start=last_step - len(rows) + 1):
        if not all(map(math.isfinite, row)):
            told = ", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True))
            raise NotFiniteError(f"Step {step}: {told}; expected finite numbers.")
        for name, value in zip(names, row, strict=True):
            sums[name] = sums.get(name, 0.0) + value
        sums[STEPS] = sums.get(STEPS, 0) + 1


def means_of(sums: dict[str, float]) -> dict[str, float]:
    """The mean of each figure; empty where no step was added up."""
    return {name: total / sums[STEPS] for name, total in sums.items() if name != STEPS}


def policy_figures(means: dict[str, float]) -> dict[str, float]:
    """Those of `means` that tell of REINFORCE's policy; empty without it."""
    return {name: means[name] for name in POLICY if name in means}
