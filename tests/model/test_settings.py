"""The training settings: what is refused, and that each says what it is."""

from dataclasses import fields

import pytest

from model.settings import TrainingSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("learning_rate", 0.0),
        ("head_learning_rate", 3.0),
        ("warmup_share", 1.0),
        ("dropout", -0.1),
        ("label_smoothing", 1.0),
        ("layer_decay", 0.0),
        ("batch_parts", 0),
        ("shrink_on_oom", 1),
        ("max_grad_norm", 0),
        ("max_input_tokens", 1),
        ("pooling", "max"),
        ("precision", "fp16"),
        ("learning_rate", float("nan")),
        ("gate_threshold", 1.1),
        ("reinforce", 1),
        ("reinforce_samples", 0),
        ("reinforce_price", -0.1),
        ("reinforce_weight", float("nan")),
        ("reinforce_entropy", -1.0),
        ("reinforce_baseline", "mean"),
        ("reinforce_gate_reads", "decoder"),
    ],
)
def test_bad_setting_is_named(name: str, value: object):
    with pytest.raises(ValueError, match=rf"^{name} is .*expected"):
        TrainingSettings(**{name: value})


def test_each_setting_says_what_it_is():
    assert all(len(item.metadata["help"]) > 10 for item in fields(TrainingSettings))
