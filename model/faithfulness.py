"""Do the tokens that an explanation ranks highest decide the answer? As ERASER measures it.

DeYoung et al. 2020, "ERASER: A Benchmark to Evaluate Rationalized NLP Models"
(https://arxiv.org/abs/1911.03429). With p the probability of the class that the model gives to the
whole text, and the top k % of its tokens by the explanation's scores:

- *comprehensiveness*: p of the whole text less p of the text without them; more is better.
- *sufficiency*: p of the whole text less p of them alone; less is better.

Both are averaged over the five shares of the paper (its AOPC). Tokens that are not part of an input
are removed from it, and the rest is encoded anew; `</s>` always stays, and at least one token is
taken.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.batching import pad_batch
from model.modeling import LABELS, T5ForSentimentClassification

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
BATCH_SIZE = 64  # sentences; the result does not depend on it

Ids = Sequence[int]
Scores = Sequence[float]


@dataclass(frozen=True)
class Faithfulness:
    """Means over the texts and the shares, differences of probabilities in [-1, 1]."""

    comprehensiveness: float
    sufficiency: float


def faithfulness(
    model: T5ForSentimentClassification, sequences: Sequence[Ids], scores: Sequence[Scores]
) -> Faithfulness:
    """Measure an explanation of the model's answers.

    Args:
        sequences: token ids of each text, `</s>` last.
        scores: of each token of each text; that of `</s>` is not looked at.
    """
    whole = probabilities(model, sequences)
    answers = whole.argmax(dim=1, keepdim=True)

    def lost(inputs: list[list[int]]) -> float:
        """How much probability the answers lose on average when only `inputs` are seen."""
        return (whole - probabilities(model, inputs)).gather(1, answers).mean().item()

    pairs = list(zip(sequences, scores, strict=True))
    taken = [[split_top(ids, of_ids, share) for ids, of_ids in pairs] for share in SHARES]
    return Faithfulness(
        comprehensiveness=_mean([lost([rest for _, rest in texts]) for texts in taken]),
        sufficiency=_mean([lost([top for top, _ in texts]) for texts in taken]),
    )


def split_top(ids: Ids, scores: Scores, share: float) -> tuple[list[int], list[int]]:
    """The `share` of a text's tokens with the highest scores, and the others, in order.

    `</s>` ends both; of equal scores the earlier one is higher.
    """
    count = max(1, round(share * (len(ids) - 1)))
    ranked = sorted(range(len(ids) - 1), key=lambda place: -scores[place])
    top = set(ranked[:count])
    taken = [place in top for place in range(len(ids))]
    return select(ids, taken), select(ids, [not is_taken for is_taken in taken])


def select(ids: Ids, keep: Sequence[bool]) -> list[int]:
    """A text with the tokens that `keep` says, and its `</s>`."""
    return [*(number for number, kept in zip(ids[:-1], keep, strict=False) if kept), ids[-1]]


def probabilities(model: T5ForSentimentClassification, sequences: Sequence[Ids]) -> Tensor:
    """The classes' probabilities (N, C) of each text, dropout off."""
    model.eval()
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]))
    found = torch.empty(len(sequences), len(LABELS))
    with torch.inference_mode():
        for start in range(0, len(order), BATCH_SIZE):
            numbers = order[start : start + BATCH_SIZE]
            batch = pad_batch(
                [sequences[number] for number in numbers],
                [0] * len(numbers),
                model.shared.weight.device,
            )
            found[numbers] = model(**batch).logits.float().softmax(dim=1).cpu()
    return found


def effective_share(weights: Scores) -> float:
    """Over how large a share of the tokens `weights` spread: e to their entropy, over their count.

    1 where all are alike; 1 / n where one of n has all the weight; 0 where none has any.
    """
    total = sum(weights)
    if total == 0:
        return 0.0
    shares = [weight / total for weight in weights if weight > 0]
    return math.exp(-sum(share * math.log(share) for share in shares)) / len(weights)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
