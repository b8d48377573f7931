"""The rules: each stops, warns or lets pass as its bar and its severity say."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps import gate
from pipeline_steps import settings as settings_module
from pipeline_steps.errors import ConfigurationError, GateNotMetError
from pipeline_steps.evaluation_artefacts import (
    Calibration,
    Evaluation,
    Footprint,
    Reliability,
    SliceResult,
)
from pipeline_steps.settings import Settings

GOOD = Evaluation(
    model_version="0123456789ab", candidate_hash="", data_hash="", rows=1000, accuracy=0.95,
    accuracy_interval=[0.935, 0.962], f1=0.95, per_class={}, confusion_matrix={}, golden=[],
    fp32_accuracy=0.95, footprint=Footprint(40.0, 2.0, 3.0),
    slices=[SliceResult("negation", "a word such as not", 200, 0.9, [0.85, 0.93])],
    calibration=Calibration(1.5, Reliability(0.08, 0.06, []), Reliability(0.02, 0.05, [])),
)  # fmt: skip


def settings(tmp_path: Path, **overrides: Any) -> Settings:
    return settings_module.load("demo", tmp_path, overrides)


def verdicts(evaluation: Evaluation, settings: Settings) -> dict[str, str]:
    return {rule.name: rule.verdict for rule in gate.rules(evaluation, settings)}


def test_good_model_passes_every_rule(tmp_path: Path) -> None:
    found = verdicts(GOOD, settings(tmp_path))
    assert set(found.values()) == {"pass"}
    assert list(found) == [
        "accuracy", "lower bound", "slice: negation", "calibration error", "Brier score",
        "quantization", "size", "latency",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "flag", "worse"),
    [
        ("lower bound", "lower_bound", {"accuracy_interval": [0.89, 0.96]}),
        (
            "slice: negation",
            "slices",
            {"slices": [SliceResult("negation", "", 200, 0.5, [0.43, 0.57])]},
        ),
        (
            "calibration error",
            "reliability",
            {"calibration": Calibration(1, Reliability(0, 0, []), Reliability(0.2, 0.1, []))},
        ),
        (
            "Brier score",
            "reliability",
            {"calibration": Calibration(1, Reliability(0, 0, []), Reliability(0.01, 0.3, []))},
        ),
        ("quantization", "quantization", {"fp32_accuracy": 0.96}),
        ("size", "footprint", {"footprint": Footprint(600.0, 2.0, 3.0)}),
        ("latency", "footprint", {"footprint": Footprint(40.0, 200.0, 300.0)}),
    ],
)
def test_severity_says_what_a_broken_rule_does(
    tmp_path: Path, name: str, flag: str, worse: dict[str, Any]
) -> None:
    evaluation = dataclasses.replace(GOOD, **worse)
    for severity in ("fail", "warn"):
        found = verdicts(evaluation, settings(tmp_path, **{flag: severity}))
        assert found.pop(name) == severity
        assert set(found.values()) == {"pass"}
    assert name not in verdicts(evaluation, settings(tmp_path, **{flag: "off"}))


def test_few_rows_of_a_slice_only_warn(tmp_path: Path) -> None:
    # GIVEN 3 of 5 right: below the bar of 0.7, and the interval reaches to 0.88
    few = dataclasses.replace(GOOD, slices=[SliceResult("question", "", 5, 0.6, [0.23, 0.88])])
    assert verdicts(few, settings(tmp_path, slices="fail"))["slice: question"] == "warn"
    none = dataclasses.replace(GOOD, slices=[SliceResult("question", "", 0, None, None)])
    assert "slice: question" not in verdicts(none, settings(tmp_path, slices="fail"))


def test_all_failed_rules_are_told_at_once(tmp_path: Path) -> None:
    worse = dataclasses.replace(GOOD, accuracy=0.8, fp32_accuracy=0.9)
    with pytest.raises(GateNotMetError) as caught:
        gate.refuse_failed(worse, settings(tmp_path))
    told = str(caught.value)
    assert "Accuracy 0.800 is below the bar of 0.900 (min_accuracy in [demo.gate])." in told
    assert "loses 10.00 points against fp32" in told
    assert told.endswith(f"Nothing was deployed. See {tmp_path / 'demo' / 'evaluation.json'}.")


def test_person_may_let_a_failed_rule_pass(tmp_path: Path) -> None:
    worse = dataclasses.replace(GOOD, accuracy=0.8)
    overridden = gate.judged(worse, settings(tmp_path, override="the bar is being raised"))
    gate.refuse_failed(overridden, settings(tmp_path))
    assert overridden.override == "the bar is being raised"
    assert [rule.name for rule in overridden.failed] == ["accuracy", "quantization"]
    # WHEN the same is judged without, it is refused again
    with pytest.raises(GateNotMetError):
        gate.refuse_failed(gate.judged(overridden, settings(tmp_path)), settings(tmp_path))


@pytest.mark.parametrize("blank", [" ", "\n\t "])
def test_blank_reason_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    for given in ({"override": blank}, {}):
        with pytest.raises(ConfigurationError, match="override is blank, expected the reason"):
            settings(tmp_path, **given)
        monkeypatch.setenv("T5_OVERRIDE", blank)  # what a workflow hands over


def test_field_left_empty_gives_no_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN the empty text that a workflow hands over where nobody filled the field, or Airflow
    monkeypatch.setenv("T5_OVERRIDE", "")
    for given in ({}, {"override": ""}):
        overridden = gate.judged(
            dataclasses.replace(GOOD, accuracy=0.8), settings(tmp_path, **given)
        )
        assert overridden.override is None
        with pytest.raises(GateNotMetError):
            gate.refuse_failed(overridden, settings(tmp_path, **given))
