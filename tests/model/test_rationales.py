"""The gate's ranking: whose words count, how pieces become words, and the area under the curve."""

import pytest
import torch

from model.backbone import load_model
from model.data import Example
from model.rationales import rank_words, sentiment_words, word_gates
from model.tokenizer import train_tokenizer


def test_sentiment_words_are_labelled_alone_and_alike():
    rows = [("Dull", 0), ("dull", 0), ("odd", 0), ("odd", 1), ("a fine film", 1), ("fine", 1)]
    assert sentiment_words(Example(*row) for row in rows) == {"dull", "fine"}


def test_auc_counts_pairs_in_order():
    scores = [("dull", 0.9), ("fine", 0.3), ("the", 0.5), ("of", 0.1), ("not", 0.0), ("plot", 1.0)]
    ranking = rank_words(scores, {"dull", "fine", "not"}, {"the", "of", "not"})
    assert ranking.auc == 3 / 4  # only "fine" is below "the"
    assert (ranking.sentiment_words, ranking.function_words) == (2, 2)
    assert ranking.sentiment_mean == pytest.approx(0.6)
    assert ranking.function_mean == pytest.approx(0.3)


def test_missing_kind_is_said():
    with pytest.raises(ValueError, match="1 sentiment words and 0 function words occur"):
        rank_words([("dull", 0.9)], {"dull"}, {"the"})


def test_word_has_the_mean_gate_of_its_pieces():
    tokenizer = train_tokenizer(["the plot is dull", "a dull plot"], 80)
    model = load_model("random:tiny", vocab_size=len(tokenizer), gate_reads="embedding")
    torch.nn.init.normal_(model.gate.linear.weight)
    sentences = ["the zebra is dull", "plot"]
    words = word_gates(model, tokenizer, sentences, max_tokens=32)
    assert [word for word, _ in words] == ["the", "zebra", "is", "dull", "plot"]
    ids = tokenizer("zebra", add_special_tokens=False).input_ids
    assert len(ids) > 1
    gates = torch.sigmoid(model.encode(torch.tensor([ids]))[1][0])
    assert words[1][1] == pytest.approx(gates.mean().item(), abs=1e-5)
