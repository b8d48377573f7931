"""The settings of a training run, each with its meaning and unit; needs no torch to import."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

POOLINGS = ("gate", "mean")
PRECISIONS = ("auto", "fp32", "bf16")
GATE_READS = ("embedding", "encoder")
BASELINES = ("leave-one-out", "self-critical", "none")


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; `field.metadata["help"]` says what each is.

    Raises:
        ValueError: a value is out of range; the message names the field and what is allowed.
    """

    epochs: int = _setting(3, "passes over the training set")
    batch_size: int = _setting(64, "sentences a step")
    batch_parts: int = _setting(
        1, "parts a batch is computed in, one after the other; more take less memory"
    )
    shrink_on_oom: bool = _setting(False, "out of memory: double batch_parts and go on")
    learning_rate: float = _setting(3e-4, "peak learning rate of the backbone")
    layer_decay: float = _setting(
        1.0, "learning rate of a backbone's layer, as a share of that above it; 1 = all alike"
    )
    gate_learning_rate: float = _setting(1e-3, "peak learning rate of the gate")
    head_learning_rate: float = _setting(1e-3, "peak learning rate of the head")
    weight_decay: float = _setting(0.01, "AdamW's decay of matrices other than embeddings")
    warmup_share: float = _setting(0.06, "share of all steps that warm up, from 0 up to below 1")
    max_grad_norm: float = _setting(1.0, "gradients are clipped to this L2 norm")
    dropout: float = _setting(0.1, "probability of dropping a unit, from 0 up to below 1")
    label_smoothing: float = _setting(
        0.0, "share of a label's weight that goes to both classes alike, from 0 up to below 1"
    )
    pooling: str = _setting("gate", "weigh tokens by the 'gate', or alike ('mean')")
    gate_threshold: float = _setting(
        0.0, "once trained, tokens with a gate below it count for nothing, 0 to 1; 0 = all count"
    )
    max_input_tokens: int = _setting(128, "longest sentence in tokens; longer ones are cut")
    patience: int = _setting(6, "stop after this many evaluations without a new best; 0 = never")
    evaluations_per_epoch: int = _setting(4, "evaluations on the validation set an epoch")
    reinforce: bool = _setting(True, "train the gate with REINFORCE, to keep few tokens")
    reinforce_samples: int = _setting(4, "REINFORCE: choices of tokens tried for each sentence")
    reinforce_price: float = _setting(0.25, "REINFORCE: price in nats of keeping a whole sentence")
    reinforce_weight: float = _setting(0.1, "REINFORCE: weight of the policy's loss")
    reinforce_entropy: float = _setting(0.01, "REINFORCE: bonus a nat of a decision's entropy")
    reinforce_baseline: str = _setting(
        "leave-one-out", "REINFORCE: 'leave-one-out' (2 samples or more), 'self-critical' or 'none'"
    )
    reinforce_gate_reads: str = _setting(
        "embedding",
        "REINFORCE: the gate reads each token alone ('embedding'), or in its context ('encoder')",
    )
    precision: str = _setting("auto", "'fp32', 'bf16' autocast, or 'auto' (bf16 where it is fast)")
    max_steps: int = _setting(0, "stop after this many steps; 0 = no limit")
    checkpoint_seconds: float = _setting(60.0, "seconds between two resume files")
    threads: int = _setting(0, "CPU threads to train with; 0 = all cores")
    seed: int = _setting(0, "of weights that start random, order of the data and dropout")

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[Callable[[Any], bool], str]] = {
            **dict.fromkeys(
                (
                    "epochs",
                    "batch_size",
                    "batch_parts",
                    "evaluations_per_epoch",
                    "reinforce_samples",
                ),
                (lambda value: value >= 1, "at least 1"),
            ),
            **dict.fromkeys(
                (
                    "weight_decay",
                    "patience",
                    "max_steps",
                    "checkpoint_seconds",
                    "threads",
                    "seed",
                    "reinforce_price",
                    "reinforce_weight",
                    "reinforce_entropy",
                ),
                (lambda value: value >= 0, "at least 0"),
            ),
            **dict.fromkeys(
                ("learning_rate", "gate_learning_rate", "head_learning_rate"),
                (lambda value: 0 < value < 1, "above 0 and below 1"),
            ),
            **dict.fromkeys(
                ("warmup_share", "dropout", "label_smoothing"),
                (lambda value: 0 <= value < 1, "0 or more, below 1"),
            ),
            "layer_decay": (lambda value: 0 < value <= 1, "above 0, at most 1"),
            "max_grad_norm": (lambda value: value > 0, "above 0"),
            # One token would be `</s>` alone.
            "max_input_tokens": (lambda value: value >= 2, "at least 2"),
            "pooling": (POOLINGS.__contains__, f"one of {', '.join(POOLINGS)}"),
            **dict.fromkeys(
                ("reinforce", "shrink_on_oom"),
                (lambda value: isinstance(value, bool), "true or false"),
            ),
            "gate_threshold": (lambda value: 0 <= value <= 1, "0 to 1"),
            "reinforce_baseline": (BASELINES.__contains__, f"one of {', '.join(BASELINES)}"),
            "reinforce_gate_reads": (GATE_READS.__contains__, f"one of {', '.join(GATE_READS)}"),
            "precision": (PRECISIONS.__contains__, f"one of {', '.join(PRECISIONS)}"),
        }
        for item in fields(self):
            is_allowed, text = allowed[item.name]
            value = getattr(self, item.name)
            if not is_allowed(value):
                raise ValueError(f"{item.name} is {value!r}, expected {text} ({_help(item)})")
        if self.reinforce and self.pooling != "gate":
            raise ValueError(
                "pooling is 'mean' and reinforce true, expected pooling 'gate', or reinforce false"
            )
        if self.reinforce_baseline == "leave-one-out" and self.reinforce_samples < 2:
            raise ValueError(
                "reinforce_samples is 1, expected at least 2 where reinforce_baseline is "
                "'leave-one-out'; 'self-critical' does with 1"
            )

    @property
    def gate_reads(self) -> str:
        """What the gate reads: without REINFORCE the encoder's last hidden states."""
        return self.reinforce_gate_reads if self.reinforce else "encoder"


def _help(item: Any) -> str:
    return str(item.metadata["help"])
