"""The temperature against scipy's minimum, and when it is used at all."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from model.calibration import fit_temperature, is_sure_gain

margins = st.lists(
    st.tuples(st.floats(-12, 12, width=32), st.integers(0, 1)), min_size=2, max_size=60
)


@given(margins)
def test_temperature_is_the_minimum_that_scipy_finds(rows: list[tuple[float, int]]) -> None:
    margin, labels = (np.array(column) for column in zip(*rows, strict=True))
    positives, negatives = labels.sum(), (1 - labels).sum()
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(temperature: float) -> float:
        scaled = margin / temperature
        return float(np.mean(np.logaddexp(0, scaled) - targets * scaled))

    logits = torch.tensor([[0.0, value] for value in margin])
    found = fit_temperature(logits, torch.tensor(labels))
    reference = minimize_scalar(loss, bounds=(0.05, 20), method="bounded").fun
    assert loss(found) <= reference + 1e-6


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_known_temperature_is_found_again(true_temperature: float) -> None:
    # GIVEN labels drawn from the probabilities, and logits that are too large by a factor
    generator = torch.Generator().manual_seed(0)
    margin = 3 * torch.randn(20_000, generator=generator)
    labels = (torch.rand(20_000, generator=generator) < torch.sigmoid(margin)).long()
    logits = torch.stack([torch.zeros_like(margin), margin * true_temperature], dim=1)
    assert fit_temperature(logits, labels) == pytest.approx(true_temperature, rel=0.05)


def test_faultless_rows_give_no_certainty() -> None:
    logits = torch.tensor([[5.0, -5.0], [-5.0, 5.0]] * 50)
    labels = torch.tensor([0, 1] * 50)
    temperature = fit_temperature(logits, labels)
    assert torch.sigmoid(torch.tensor(10 / temperature)) == pytest.approx(51 / 52, abs=1e-3)
    assert fit_temperature(torch.zeros(0, 2), torch.zeros(0).long()) == 1.0


def test_gain_that_may_be_chance_is_no_gain() -> None:
    # GIVEN logits that are twice too large, and the temperature that mends them
    generator = torch.Generator().manual_seed(0)
    margin = 3 * torch.randn(2_000, generator=generator)
    labels = (torch.rand(2_000, generator=generator) < torch.sigmoid(margin)).long()
    logits = torch.stack([torch.zeros_like(margin), 2 * margin], dim=1)
    # THEN many rows show it, none do not, and what was mended needs no other
    assert is_sure_gain(logits, labels, 2.0)
    assert not is_sure_gain(logits / 2, labels, fit_temperature(logits / 2, labels))
    assert not is_sure_gain(logits[:0], labels[:0], 2.0)
