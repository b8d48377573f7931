"""Models made worse on purpose: each is stopped, and by the rule that is meant for it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from model.behaviour import behaviour_tests
from model.data import read_splits
from model.slices import names_of
from pipeline_steps import evaluate
from pipeline_steps import settings as settings_module
from pipeline_steps.clients import Clients
from pipeline_steps.errors import GateNotMetError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.files import file_hashes
from pipeline_steps.model_artefacts import ExportReport
from pipeline_steps.setting_groups import GateSettings
from pipeline_steps.settings import Settings
from tests.pipeline_steps import stand_in

SPLITS = read_splits("demo")
Labels = dict[str, int]


def faultless() -> Labels:
    """What a model says that has every sentence right and passes every behaviour test."""
    labels = stand_in.labels_of(SPLITS.validation)
    cases = [case for test in behaviour_tests() for case in test.cases]
    for case in cases:
        if case.original is None:
            labels[case.text] = int(case.label == 1)
        elif case.rises is not None:
            labels[case.text] = int(case.rises)
    for case in cases:
        if case.original is not None and case.rises is None:
            labels[case.text] = labels.get(case.original, 1)
    return labels


def flipped(labels: Labels, wrong: Callable[[str], bool]) -> Labels:
    return {text: 1 - label if wrong(text) else label for text, label in labels.items()}


def in_slice(name: str) -> Callable[[str], bool]:
    return lambda text: name in names_of(text, None)


def stopped_by(folder: Path, labels: Labels, **gate: Any) -> set[str]:
    """The rules that stop a model which answers with `labels`."""
    strict = {"slices": "fail", "behaviour": "fail", "reliability": "off", "min_accuracy": 0.7}
    settings = settings_module.load("demo", folder, strict | gate)
    stand_in.exported(settings, SPLITS, "0123456789ab", labels)
    try:
        evaluate.run(settings, Clients())
    except GateNotMetError as error:
        failed = Evaluation.load(settings.work_dir).failed
        assert failed
        assert all(rule.detail in str(error) for rule in failed)
    return {rule.name for rule in Evaluation.load(settings.work_dir).failed}


def test_faultless_model_is_stopped_by_nothing(tmp_path: Path) -> None:
    assert stopped_by(tmp_path, faultless()) == set()


def test_flipped_negation_is_stopped(tmp_path: Path) -> None:
    found = stopped_by(tmp_path, flipped(faultless(), in_slice("negation")))
    assert found == {"slice: negation", "behaviour: negation"}
    # AND each of the two stops it alone
    worse = flipped(stand_in.labels_of(SPLITS.validation), in_slice("negation"))
    assert stopped_by(tmp_path / "slice", worse, behaviour="off") == {"slice: negation"}


def test_corrupted_slice_is_stopped(tmp_path: Path) -> None:
    # GIVEN a model that has learned wrong labels for questions, 54 of 960 sentences
    worse = flipped(faultless(), in_slice("question"))
    assert stopped_by(tmp_path, worse) == {"slice: question"}
    assert Evaluation.load(tmp_path / "demo").accuracy > 0.9


def test_corrupted_slice_is_stopped_by_the_profiles_own_rules(tmp_path: Path) -> None:
    # GIVEN the rules of sst2 as they stand in pipeline.toml
    settings = settings_module.load("sst2", tmp_path, {"data": "demo"})
    worse = flipped(faultless(), in_slice("question"))
    stand_in.exported(settings, SPLITS, "0123456789ab", worse)
    with pytest.raises(GateNotMetError, match="question"):
        evaluate.run(settings, Clients())
    failed = Evaluation.load(settings.work_dir).failed
    assert [rule.name for rule in failed] == ["slice: question"]


def test_unfair_model_is_stopped(tmp_path: Path) -> None:
    worse = flipped(faultless(), lambda text: any(f in text for f in ("Muslim", "gay", "deaf")))
    assert stopped_by(tmp_path, worse, min_behaviour=0.95) == {"behaviour: fairness"}


def test_overconfident_model_is_stopped(tmp_path: Path) -> None:
    # GIVEN scores of 0.9, of which 6 in 10 are right
    rows = {row.sentence for row in SPLITS.validation[::5] + SPLITS.validation[1::5]}
    worse = flipped(faultless(), lambda text: text in rows)
    overconfident = {"reliability": "fail", "slices": "off", "min_accuracy": 0.5}
    assert stopped_by(tmp_path, worse, **overconfident) == {"calibration error", "Brier score"}


def test_broken_int8_is_stopped(packaged: Settings) -> None:
    # GIVEN an int8 model whose weights have lost their signs on the way
    candidate = packaged.work_dir / "candidate"
    model = onnx.load(candidate / "model.onnx")
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.INT8 and len(weights.dims) > 1:
            broken = np.abs(numpy_helper.to_array(weights))
            weights.CopyFrom(numpy_helper.from_array(broken, weights.name))
    onnx.save(model, candidate / "model.onnx")
    exported = ExportReport.load(packaged.work_dir)
    dataclasses.replace(exported, files=file_hashes(candidate)).save(packaged.work_dir)
    # WHEN it is judged, THEN what it has lost against float32 stops it, and nothing else
    lenient = dataclasses.replace(packaged, gate=GateSettings(min_accuracy=0))
    with pytest.raises(GateNotMetError, match=r"ships loses \d+\.\d\d points against fp32"):
        evaluate.run(lenient, Clients())
    assert [rule.name for rule in Evaluation.load(packaged.work_dir).failed] == ["quantization"]
