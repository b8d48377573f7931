"""What a training run reads: sentences as token ids, or an error where they teach nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from model.batching import shorten, token_ids
from model.data import LABELS, Example
from model.report import TrainingError


@dataclass(frozen=True)
class Encoded:
    """Token ids and label of each sentence; `cut` of them were longer than the limit."""

    sequences: list[list[int]]
    labels: list[int]
    cut: int


def encoded(
    name: str, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, max_tokens: int
) -> Encoded:
    """Encode a set; sentences of more than `max_tokens` are cut, and counted.

    Raises:
        TrainingError: it is empty or lacks a class, which no model could learn or be judged by.
    """
    labels = [example.label for example in examples]
    if len(set(labels)) < len(LABELS):
        there = ", ".join(LABELS[label] for label in set(labels)) or "no sentence"
        raise TrainingError(
            f"The {name} set holds {there}, expected both {' and '.join(LABELS)}. Add sentences "
            "of the other class, or check how the labels were made (0 and 1)."
        )
    whole = token_ids(tokenizer, [example.sentence for example in examples])
    sequences = [shorten(ids, max_tokens, tokenizer.eos_token_id) for ids in whole]
    return Encoded(sequences, labels, sum(len(ids) > max_tokens for ids in whole))
