"""What is asked at once, and how far an answer may be from the evaluated one."""

import dataclasses
from pathlib import Path

import pytest

from pipeline_steps import golden
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.serving_process import ServingProcess
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


@pytest.mark.parametrize("explain", [False, True])
def test_long_texts_are_asked_in_requests_the_server_takes(
    candidates: dict[str, Path], explain: bool
) -> None:
    # GIVEN texts of which fewer than one request's number are more than its bytes, as JSON
    texts = ["хорошо " * 1400, "плохо " * 1600] * 80
    assert len(texts) < golden.TEXTS_PER_REQUEST
    with ServingProcess(candidates["onnx"]) as server:
        first, second, *others = golden.ask(server, texts, explain=explain)
        alone = [next(golden.ask(server, [text], explain=explain)) for text in texts[:2]]
    assert len(others) == len(texts) - 2
    assert [first["label"], second["label"]] == [each["label"] for each in alone]
