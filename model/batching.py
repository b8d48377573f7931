"""Batches of sentences of about one length, padded only to their own longest.

SST-2's phrases average 13 tokens: padding each to 128 would do about nine times the work. Within
a pool of batches the sentences are sorted by length, so a batch holds hardly any padding, while
pools and batches are shuffled, so that no epoch sees short ones first.

Shapes: B batch, T tokens.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

POOL = 50  # batches sorted together: enough to fill them evenly, few enough to keep them mixed


def encode(
    tokenizer: PreTrainedTokenizerFast, sentences: Sequence[str], max_tokens: int
) -> list[list[int]]:
    """Give each sentence's token ids, `</s>` last; longer ones are cut to `max_tokens`."""
    end = tokenizer.eos_token_id
    return [shorten(ids, max_tokens, end) for ids in token_ids(tokenizer, sentences)]


def token_ids(tokenizer: PreTrainedTokenizerFast, sentences: Sequence[str]) -> list[list[int]]:
    """Give each sentence's token ids, however many.

    The tokenizer is left as it is: truncation set on it would end up in its tokenizer.json.
    """
    return [item.ids for item in tokenizer.backend_tokenizer.encode_batch_fast(list(sentences))]


def shorten(ids: list[int], max_tokens: int, end: int) -> list[int]:
    """Cut a sentence to `max_tokens`, `end` last; a shorter one stays as it is."""
    return ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], end]


class LengthBucketedSampler:
    """Which examples go into which batch, epoch by epoch.

    An epoch's order depends on seed and epoch only, so a run's place is its step alone:
    `epoch, position = divmod(step, len(sampler))`.

    Args:
        lengths: of all examples, in tokens.
        batch_size: examples a batch; the last of an epoch may be smaller.
        seed: of the order.

    Raises:
        ValueError: no examples, or a batch size below 1.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        if not lengths or batch_size < 1:
            raise ValueError(
                f"{len(lengths)} examples in batches of {batch_size}, expected at least 1 of each"
            )
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed

    def __len__(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.lengths) / self.batch_size)

    def batches(self, epoch: int) -> list[list[int]]:
        """Give the epoch's batches, each a list of example numbers."""
        # Mixed by a prime, so that neighbouring seeds do not share their epochs.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        batches = [
            batch
            for pool in _chunks(order, POOL * self.batch_size)
            for batch in _chunks(sorted(pool, key=self.lengths.__getitem__), self.batch_size)
        ]
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [batches[number] for number in shuffled]


def _chunks(numbers: list[int], size: int) -> list[list[int]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def pad_batch(
    sequences: Sequence[Sequence[int]],
    labels: Sequence[int],
    device: torch.device | None = None,
    pad_id: int = 0,
) -> dict[str, Tensor]:
    """Give input_ids (B, T), attention_mask (B, T) and labels (B,), all int64, on `device`."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    longest = int(lengths.max())
    rows = [[*sequence, *[pad_id] * (longest - len(sequence))] for sequence in sequences]
    batch = {
        "input_ids": torch.tensor(rows),
        "attention_mask": (torch.arange(longest) < lengths.unsqueeze(1)).long(),
        "labels": torch.tensor(labels),
    }
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
