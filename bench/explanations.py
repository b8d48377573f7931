"""What the gate is compared with: other ways to say how much each token counted for an answer.

Each takes a model and token ids with `</s>` last, and gives every token a score; more counts more.
Shapes: B batch, H heads, T tokens, D d_model.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from model.batching import pad_batch
from model.modeling import T5ForSentimentClassification

BATCH_SIZE = 64

Sequences = Sequence[Sequence[int]]
Scores = list[list[float]]


def gradient_times_input(model: T5ForSentimentClassification, sequences: Sequences) -> Scores:
    """How much each token's embedding moves the answer's logit against the other class's.

    Simonyan et al. 2013 and Shrikumar et al. 2016 (https://arxiv.org/abs/1605.01713): the gradient
    by the embedding, times the embedding. A token that speaks for the other class is below 0.
    """

    def scores(batch: dict[str, Tensor]) -> Tensor:
        embedded = model.shared(batch["input_ids"]).detach().requires_grad_()
        logits = model(inputs_embeds=embedded, attention_mask=batch["attention_mask"]).logits
        margin = logits.amax(dim=1) - logits.amin(dim=1)
        (gradient,) = torch.autograd.grad(margin.sum(), embedded)  # (B, T, D)
        return (gradient * embedded).sum(dim=-1)

    return _scored(sequences, scores)


def attention_received(model: T5ForSentimentClassification, sequences: Sequences) -> Scores:
    """How much the text's tokens attend to each token in the last layer, mean over the heads."""

    @torch.inference_mode()
    def scores(batch: dict[str, Tensor]) -> Tensor:
        mask = batch["attention_mask"]
        found = model.encoder(input_ids=batch["input_ids"], attention_mask=mask, **wanted)
        weights = found.attentions[-1].mean(dim=1)  # (B, T, T), from row to column
        return (weights * mask.unsqueeze(-1)).sum(dim=1)

    wanted = {"output_attentions": True}
    with _eager_attention(model):
        return _scored(sequences, scores)


def chance(sequences: Sequences, seed: int) -> Scores:
    """Any order of the tokens."""
    numbers = random.Random(seed)  # noqa: S311 - nothing secret
    return [[numbers.random() for _ in ids] for ids in sequences]


def _scored(sequences: Sequences, scores: Callable[[dict[str, Tensor]], Tensor]) -> Scores:
    found: Scores = []
    for start in range(0, len(sequences), BATCH_SIZE):
        chunk = sequences[start : start + BATCH_SIZE]
        rows = scores(pad_batch(chunk, [0] * len(chunk))).tolist()
        found += [row[: len(ids)] for row, ids in zip(rows, chunk, strict=True)]
    return found


@contextmanager
def _eager_attention(model: T5ForSentimentClassification) -> Iterator[None]:
    """The fused attention does not give its weights."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
