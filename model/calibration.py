"""Temperature scaling: one number that makes a score of 0.9 mean right 9 times in 10.

Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599: the
logits are divided by T, which is fitted on rows that were not trained on. No answer changes, only
how sure it is. Deviation: the targets are Platt's (1999), (n + 1) / (n + 2) in place of 1 for the n
rows of a class. Without them a model with no mistake on these rows would have T go to 0. And T
stays 1 where the gain may be chance: some hundred rows can be off by more than the model is.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.batching import encode, pad_batch
from model.checkpoint import load_saved
from model.data import Example
from model.evaluation import BATCH_SIZE
from model.tokenizer import load_tokenizer

SMALLEST, LARGEST = 0.05, 20.0  # temperatures; beyond, the rows say nothing
HALVINGS = 60  # of the bracket: as fine as floats are
DIGITS = 3  # of the temperature
SURE = 2  # standard errors: less happens by chance once in twenty


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T with the least cross-entropy.

    Args:
        logits: (B, 2) of rows that were not trained on.
        labels: (B,) their classes, 0 or 1.
    """
    if not len(labels):
        return 1.0
    margin, targets = _margin(logits), _targets(labels)
    # The loss is convex in 1 / T: its slope rises, and is 0 at the minimum.
    low, high = 1 / LARGEST, 1 / SMALLEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = ((torch.sigmoid(middle * margin) - targets) * margin).mean()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return 2 / (low + high)


def is_sure_gain(logits: Tensor, labels: Tensor, temperature: float) -> bool:
    """Whether the temperature lowers the mean loss of these rows by more than chance would."""
    if not len(labels):
        return False
    margin, targets = _margin(logits), _targets(labels)
    before, after = (
        binary_cross_entropy_with_logits(scaled, targets, reduction="none")
        for scaled in (margin, margin / temperature)
    )
    gains = before - after  # (B,)
    standard_error = gains.std(correction=0) / len(gains) ** 0.5
    return bool(gains.mean() > SURE * standard_error)


def _margin(logits: Tensor) -> Tensor:
    """(B,) how far POSITIVE is above NEGATIVE."""
    return (logits[:, 1] - logits[:, 0]).double()


def _targets(labels: Tensor) -> Tensor:
    """(B,) Platt's."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    return torch.where(
        labels.bool(), (positives + 1) / (positives + 2), 1 / (negatives + 2)
    ).double()


def calibrate(folder: Path, held: Sequence[Example], max_tokens: int) -> float:
    """Fit the temperature of the model in `folder` on `held`, and write it to its config.json.

    Args:
        folder: of `model.safetensors`, `config.json` and `tokenizer.json`.
        held: rows that it was not trained on; where they leave it open the temperature is 1.
        max_tokens: longest input in tokens.
    """
    model = load_saved(folder)
    tokenizer = load_tokenizer(str(folder))
    sequences = encode(tokenizer, [row.sentence for row in held], max_tokens)
    labels = [row.label for row in held]
    parts = [torch.zeros(0, 2)]
    with torch.inference_mode():
        for start in range(0, len(held), BATCH_SIZE):
            rows = slice(start, start + BATCH_SIZE)
            batch = pad_batch(sequences[rows], labels[rows], torch.device("cpu"))
            parts.append(model(**batch).logits)
    # What is beyond these digits is float rounding, and another on another machine.
    logits, truth = torch.cat(parts), torch.tensor(labels)
    temperature = round(fit_temperature(logits, truth), DIGITS)
    if not is_sure_gain(logits, truth, temperature):
        temperature = 1.0
    path = folder / "config.json"
    config = json.loads(path.read_bytes()) | {"temperature": temperature}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return temperature
