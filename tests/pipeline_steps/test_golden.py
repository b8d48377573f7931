"""How far an answer may be from the evaluated one: an int8 model's farther than a float's."""

import dataclasses

import pytest

from pipeline_steps import golden
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.settings import Settings


@pytest.mark.parametrize(
    ("fp32_accuracy", "moved", "agrees"),
    [(0.9, 0.005, True), (0.9, 0.02, False), (None, 0.0005, True), (None, 0.005, False)],
    ids=["int8, a step", "int8, more", "float, rounding", "float, more"],
)
def test_tolerance_is_that_of_the_runtime(
    packaged: Settings, fp32_accuracy: float | None, moved: float, agrees: bool
) -> None:
    evaluation = Evaluation.load(packaged.work_dir)
    evaluation = dataclasses.replace(evaluation, fp32_accuracy=fp32_accuracy)
    first, *others = evaluation.golden
    answered = [dataclasses.replace(first, score=first.score - moved), *others]
    difference = golden.disagreement(evaluation, answered)
    assert (difference is None) == agrees
    assert agrees or f"{first.text!r} is {first.label}" in str(difference)
