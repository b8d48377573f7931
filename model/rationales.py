"""Is the gate honest? How well it ranks the words that carry sentiment above those that cannot.

Ground truth comes with SST-2: its training set labels phrases down to single words. A *sentiment
word* stands there as a phrase of its own and never with both labels; a *function word* is on a list
of stop words. A word on both lists ("not", "enough") is left out.

The measure is the area under the ROC curve over all such words of the sentences looked at: the
probability that a sentiment word, picked at random, has a higher gate than a function word. 0.5 is
chance.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from sklearn.metrics import roc_auc_score
from transformers import PreTrainedTokenizerFast

from model.batching import encode, pad_batch
from model.data import Example
from model.modeling import T5ForSentimentClassification

BATCH_SIZE = 64  # sentences; the result does not depend on it


@dataclass(frozen=True)
class GateRanking:
    """How the gate treats the two kinds of words; the means are of g, in [0, 1]."""

    auc: float
    sentiment_words: int
    function_words: int
    sentiment_mean: float
    function_mean: float


def sentiment_words(train_set: Iterable[Example]) -> set[str]:
    """Words that are labelled on their own, and always alike."""
    labels: dict[str, set[int]] = {}
    for example in train_set:
        words = example.sentence.lower().split()
        if len(words) == 1:
            labels.setdefault(words[0], set()).add(example.label)
    return {word for word, found in labels.items() if len(found) == 1}


def rank_words(
    scores: Iterable[tuple[str, float]], sentiment: Collection[str], function: Collection[str]
) -> GateRanking:
    """Compare the gates of the words of both kinds.

    Args:
        scores: each word that was looked at, in lower case, and its gate.
        sentiment: the sentiment words.
        function: the function words.

    Raises:
        ValueError: one of the kinds does not occur.
    """
    above = [], []  # type: tuple[list[float], list[float]]
    for word, score in scores:
        if (word in sentiment) != (word in function):
            above[word in sentiment].append(score)
    below, over = above
    if not below or not over:
        raise ValueError(
            f"{len(over)} sentiment words and {len(below)} function words occur, expected some of "
            "each; take a training set that labels single words, and more sentences."
        )
    return GateRanking(
        auc=float(roc_auc_score([0] * len(below) + [1] * len(over), below + over)),
        sentiment_words=len(over),
        function_words=len(below),
        sentiment_mean=sum(over) / len(over),
        function_mean=sum(below) / len(below),
    )


def gates(
    model: T5ForSentimentClassification, sequences: Sequence[Sequence[int]]
) -> list[list[float]]:
    """Each token's gate, sequence by sequence, `</s>` included."""
    model.eval()
    found: list[list[float]] = []
    with torch.inference_mode():
        for start in range(0, len(sequences), BATCH_SIZE):
            chunk = sequences[start : start + BATCH_SIZE]
            batch = pad_batch(chunk, [0] * len(chunk), model.shared.weight.device)
            scores = model(**batch).gate_scores.float().tolist()
            found += [row[: len(ids)] for row, ids in zip(scores, chunk, strict=True)]
    return found


def word_gates(
    model: T5ForSentimentClassification,
    tokenizer: PreTrainedTokenizerFast,
    sentences: Sequence[str],
    max_tokens: int,
) -> list[tuple[str, float]]:
    """Each word of the sentences in lower case, with the mean gate of its pieces."""
    sequences = encode(tokenizer, sentences, max_tokens)
    words: list[tuple[str, float]] = []
    for ids, scores in zip(sequences, gates(model, sequences), strict=True):
        pieces = tokenizer.convert_ids_to_tokens(ids)
        word, values = "", []  # type: str, list[float]
        for piece, score in zip(pieces, scores, strict=True):
            if piece.startswith("▁") or piece == tokenizer.eos_token:
                if word:
                    words.append((word, sum(values) / len(values)))
                word, values = "", []
            word += piece.removeprefix("▁").lower()
            values.append(score)
    return words
