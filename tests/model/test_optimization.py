"""Precision, the groups of parameters with their learning rates, and how these go over time."""

import pytest
import torch

from model.backbone import load_model
from model.optimization import parameter_groups, pick_precision, rate_share
from model.settings import TrainingSettings


def test_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch):
    for has_bf16, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda has=has_bf16: {"avx512_bf16": has}
        )
        assert pick_precision("auto", torch.device("cpu")) == expected
        assert pick_precision("fp32", torch.device("cpu")) == "fp32"


def test_groups_hold_each_weight_once():
    model = load_model("random:tiny", vocab_size=120)
    settings = TrainingSettings(learning_rate=1e-4, gate_learning_rate=2e-3)
    groups = parameter_groups(model, settings)
    held = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in model.parameters())
    rate_of = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    decay_of = {id(weight): group["weight_decay"] for group in groups for weight in group["params"]}
    assert rate_of[id(model.shared.weight)] == 1e-4
    assert rate_of[id(model.gate.linear.bias)] == 2e-3
    assert rate_of[id(model.classifier.weight)] == 1e-3
    assert decay_of[id(model.shared.weight)] == decay_of[id(model.classifier.bias)] == 0
    assert decay_of[id(model.encoder.block[0].layer[1].DenseReluDense.wi.weight)] == 0.01


def test_layer_decay_slows_what_lies_deeper():
    model = load_model("random:tiny", vocab_size=120)
    settings = TrainingSettings(learning_rate=1e-2, layer_decay=0.5)
    rate_of = {
        id(weight): group["peak"]
        for group in parameter_groups(model, settings)
        for weight in group["params"]
    }
    lower, upper = (block.layer[1].DenseReluDense.wi.weight for block in model.encoder.block)
    assert rate_of[id(model.encoder.final_layer_norm.weight)] == 1e-2
    assert rate_of[id(upper)] == pytest.approx(5e-3)
    assert rate_of[id(lower)] == pytest.approx(2.5e-3)
    assert rate_of[id(model.shared.weight)] == pytest.approx(1.25e-3)
    assert rate_of[id(model.classifier.weight)] == 1e-3


def test_rate_rises_then_falls():
    shares = [rate_share(step, 100, 0.1) for step in range(100)]
    assert shares[9] == max(shares) == 1.0
    assert shares[:10] == sorted(shares[:10])
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert shares[-1] == pytest.approx(1 / 90)
