"""Batches: nothing lost, little padding, the same order for the same seed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.batching import LengthBucketedSampler, encode, pad_batch
from model.tokenizer import train_tokenizer


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=200),
    batch_size=st.integers(1, 40),
    epoch=st.integers(0, 5),
)
def test_epoch_holds_each_example_once(lengths: list[int], batch_size: int, epoch: int):
    sampler = LengthBucketedSampler(lengths, batch_size, seed=3)
    batches = sampler.batches(epoch)
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    assert len(batches) == len(sampler)
    assert max(len(batch) for batch in batches) <= batch_size


def test_order_depends_on_seed_and_epoch():
    lengths = [number % 17 + 1 for number in range(300)]
    sampler = LengthBucketedSampler(lengths, 8, seed=0)
    assert sampler.batches(1) == LengthBucketedSampler(lengths, 8, seed=0).batches(1)
    assert sampler.batches(1) != sampler.batches(0)
    assert sampler.batches(1) != LengthBucketedSampler(lengths, 8, seed=1).batches(1)


def test_buckets_leave_little_padding():
    draws = torch.empty(5000).exponential_(1 / 13, generator=torch.Generator().manual_seed(0))
    lengths = [min(60, int(draw) + 2) for draw in draws]
    batches = LengthBucketedSampler(lengths, 32, seed=0).batches(0)
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    longest = [max(lengths[i] for i in batch) for batch in batches]
    assert longest != sorted(longest)


@pytest.mark.parametrize(("lengths", "batch_size"), [([], 4), ([3], 0)])
def test_nothing_to_batch_is_refused(lengths: list[int], batch_size: int):
    with pytest.raises(ValueError, match="expected at least 1 of each"):
        LengthBucketedSampler(lengths, batch_size, seed=0)


def test_padding_follows_the_longest():
    batch = pad_batch([[5, 6, 1], [7, 1]], [1, 0])
    assert batch["input_ids"].tolist() == [[5, 6, 1], [7, 1, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [1, 0]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_long_sentences_keep_their_end():
    tokenizer = train_tokenizer(["a good film", "a bad film"], 90)
    short, long = encode(tokenizer, ["film", "good film " * 20], max_tokens=6)
    assert short == tokenizer("film").input_ids
    assert len(long) == 6
    assert long == [*tokenizer("good film " * 20).input_ids[:5], 1]
    assert tokenizer.backend_tokenizer.truncation is None
