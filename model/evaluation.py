"""Accuracy and loss of a model on labelled sentences."""

from collections.abc import Sequence

import torch

from model.batching import pad_batch
from model.modeling import T5ForSentimentClassification

BATCH_SIZE = 64  # sentences; the result does not depend on it


def evaluate(
    model: T5ForSentimentClassification, sequences: Sequence[list[int]], labels: Sequence[int]
) -> tuple[float, float]:
    """Give accuracy and mean cross-entropy (nats) in the weights' own precision, dropout off.

    Args:
        model: left in the mode, training or not, that it came in.
        sequences: token ids of each sentence.
        labels: 0 or 1 of each sentence.
    """
    was_training = model.training
    model.eval()
    device = model.shared.weight.device
    order = sorted(range(len(labels)), key=lambda number: len(sequences[number]))
    sums = torch.zeros(2, dtype=torch.float64, device=device)  # correct answers, losses
    with torch.inference_mode():
        for start in range(0, len(order), BATCH_SIZE):
            numbers = order[start : start + BATCH_SIZE]
            batch = pad_batch([sequences[i] for i in numbers], [labels[i] for i in numbers], device)
            output = model(**batch)
            correct = (output.logits.argmax(dim=1) == batch["labels"]).sum()
            sums += torch.stack([correct.double(), output.loss.double() * len(numbers)])
    model.train(was_training)
    accuracy, loss = (sums / len(labels)).tolist()
    return accuracy, loss
