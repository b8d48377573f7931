"""Faithfulness, on a model that adds up its words: what an explanation gains by being right."""

import pytest
import torch

from model.faithfulness import (
    SHARES,
    effective_share,
    faithfulness,
    probabilities,
    select,
    split_top,
)
from model.modeling import T5ForSentimentClassification, T5SentimentConfig

END, GOOD, BAD, DULL = 1, 5, 6, 7  # ids; DULL says nothing
TEXTS = [[DULL, GOOD, DULL, DULL, DULL, DULL, DULL, END], [DULL, DULL, DULL, BAD, DULL, END]]
RIGHT = [[float(number in (GOOD, BAD)) for number in text] for text in TEXTS]
WRONG = [[1 - score for score in scores] for scores in RIGHT]


@pytest.fixture
def model() -> T5ForSentimentClassification:
    """No layers: the mean of its words' embeddings, of which the first number decides."""
    sizes = {"vocab_size": 10, "d_model": 4, "d_kv": 2, "d_ff": 4, "num_heads": 2}
    made = T5ForSentimentClassification(T5SentimentConfig(**sizes, num_layers=0, pooling="mean"))
    with torch.no_grad():
        made.shared.weight.fill_(0.1)
        made.shared.weight[GOOD, 0], made.shared.weight[BAD, 0] = 3.0, -3.0
        made.shared.weight[[DULL, END], 0] = 0.0
        made.classifier.weight.zero_()
        made.classifier.weight[1, 0] = 4.0
    return made.eval()


def test_top_and_rest_keep_order_and_end():
    scores = [0.2, 0.9, 0.1, 0.9, 0.0, 5.0]
    assert split_top([2, 3, 4, 5, 6, END], scores, 0.5) == ([3, 5, END], [2, 4, 6, END])
    assert split_top([2, 3, 4, 5, 6, END], scores, 0.01) == ([3, END], [2, 4, 5, 6, END])
    assert split_top([END], [0.5], 0.5) == ([END], [END])
    assert select([2, 3, END], [False, True, False]) == [3, END]


def test_faithfulness_equals_removal_text_by_text(model: T5ForSentimentClassification):
    def of(text: list[int]) -> torch.Tensor:
        return model(input_ids=torch.tensor([text])).logits.softmax(dim=1)[0]

    gone, alone = [], []
    for share in SHARES:
        for text, scores, answer in zip(TEXTS, RIGHT, (1, 0), strict=True):
            top, rest = split_top(text, scores, share)
            gone.append((of(text) - of(rest))[answer].item())
            alone.append((of(text) - of(top))[answer].item())
    found = faithfulness(model, TEXTS, RIGHT)
    assert found.comprehensiveness == pytest.approx(sum(gone) / len(gone), abs=1e-6)
    assert found.sufficiency == pytest.approx(sum(alone) / len(alone), abs=1e-6)


def test_right_explanation_is_ahead(model: T5ForSentimentClassification):
    assert probabilities(model, TEXTS).argmax(dim=1).tolist() == [1, 0]
    right, wrong = (faithfulness(model, TEXTS, scores) for scores in (RIGHT, WRONG))
    assert right.comprehensiveness > 0.1 > wrong.comprehensiveness
    assert right.sufficiency < 0 < wrong.sufficiency


def test_effective_share_counts_what_has_weight():
    assert effective_share([0.3, 0.3, 0.3, 0.3]) == pytest.approx(1)
    assert effective_share([0.9, 0.0, 0.0, 0.0]) == pytest.approx(1 / 4)
    assert effective_share([0.5, 0.5, 0.0, 0.0]) == pytest.approx(1 / 2)
    assert effective_share([0.0, 0.0]) == effective_share([]) == 0
