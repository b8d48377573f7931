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
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.metrics import roc_auc_score
from transformers import PreTrainedTokenizerFast

from model.batching import encode, pad_batch
from model.data import Example, Splits
from model.evaluation import evaluate
from model.faithfulness import effective_share, faithfulness, select, split_top
from model.modeling import T5ForSentimentClassification

BATCH_SIZE = 64  # sentences; the result does not depend on it
THRESHOLD = 0.5  # the gate is a probability of keeping: above it a token is rather kept
TOP_SHARE = 0.4


class MissingWordsError(ValueError):
    """There are no words of a kind, and so nothing to compare the others with."""


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
        MissingWordsError: one of the kinds does not occur.
    """
    above = [], []  # type: tuple[list[float], list[float]]
    for word, score in scores:
        if (word in sentiment) != (word in function):
            above[word in sentiment].append(score)
    below, over = above
    if not below or not over:
        raise MissingWordsError(
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


def word_scores(
    tokenizer: PreTrainedTokenizerFast,
    sequences: Sequence[Sequence[int]],
    scores: Sequence[Sequence[float]],
) -> list[tuple[str, float]]:
    """Each word of the texts in lower case, with the mean score of its pieces."""
    words: list[tuple[str, float]] = []
    for ids, of_ids in zip(sequences, scores, strict=True):
        pieces = tokenizer.convert_ids_to_tokens(list(ids))
        word, values = "", []  # type: str, list[float]
        for piece, score in zip(pieces, of_ids, strict=True):
            if piece.startswith("▁") or piece == tokenizer.eos_token:
                if word:
                    words.append((word, sum(values) / len(values)))
                word, values = "", []
            word += piece.removeprefix("▁").lower()
            values.append(score)
    return words


@dataclass(frozen=True)
class Rationales:
    """How honest and how sparse a model's gate is on labelled texts.

    Attributes:
        gate_auc: see `GateRanking`; None where the training set labels no single words, or the
            validation set lacks words of a kind.
        comprehensiveness: see `model.faithfulness`; more is better.
        sufficiency: see `model.faithfulness`; less is better.
        kept_share: share of the tokens whose gate is 0.5 or more.
        effective_share: over how large a share of its tokens a text's gate spreads, on average.
        accuracy: with the whole texts.
        accuracy_of_kept: when only the tokens whose gate is 0.5 or more are the input.
        accuracy_of_top: when only the TOP_SHARE of its tokens with the highest gates are the input.
        accuracy_of_highest: the same with the TOP_SHARE of all texts' tokens together; of equal
            gates the earlier one is higher.
    """

    gate_auc: float | None
    comprehensiveness: float
    sufficiency: float
    kept_share: float
    effective_share: float
    accuracy: float
    accuracy_of_kept: float
    accuracy_of_top: float
    accuracy_of_highest: float


def rationales_of(
    model: T5ForSentimentClassification, tokenizer: PreTrainedTokenizerFast, splits: Splits
) -> Rationales:
    """Measure the gate of `model` on the validation set."""
    examples = splits.validation
    limit = model.config.max_input_tokens
    sequences = encode(tokenizer, [example.sentence for example in examples], limit)
    labels = [example.label for example in examples]
    scores = gates(model, sequences)
    faithful = faithfulness(model, sequences, scores)
    pairs = list(zip(sequences, scores, strict=True))
    kept = [select(ids, [g >= THRESHOLD for g in of_ids]) for ids, of_ids in pairs]
    top = [split_top(ids, of_ids, TOP_SHARE)[0] for ids, of_ids in pairs]
    places = [(text, place) for text, ids in enumerate(sequences) for place in range(len(ids) - 1)]
    ranked = sorted(places, key=lambda at: -scores[at[0]][at[1]])
    taken = set(ranked[: int(TOP_SHARE * len(ranked))])
    highest = [
        select(ids, [(text, place) in taken for place in range(len(ids))])
        for text, ids in enumerate(sequences)
    ]
    words = word_scores(tokenizer, sequences, scores)
    try:
        auc = rank_words(words, sentiment_words(splits.train), ENGLISH_STOP_WORDS).auc
    except MissingWordsError:
        auc = None
    ends = len(sequences)  # each text's `</s>`, which is not up for choice
    return Rationales(
        gate_auc=auc,
        comprehensiveness=faithful.comprehensiveness,
        sufficiency=faithful.sufficiency,
        kept_share=(sum(map(len, kept)) - ends) / max(sum(map(len, sequences)) - ends, 1),
        effective_share=sum(effective_share(of_ids[:-1]) for of_ids in scores) / len(scores),
        accuracy=evaluate(model, sequences, labels)[0],
        accuracy_of_kept=evaluate(model, kept, labels)[0],
        accuracy_of_top=evaluate(model, top, labels)[0],
        accuracy_of_highest=evaluate(model, highest, labels)[0],
    )
