"""The gate's ranking: whose words count, how pieces become words, and the area under the curve."""

import pytest
import torch

from model import rationales
from model.backbone import load_model
from model.batching import encode
from model.data import Example, Splits
from model.evaluation import evaluate
from model.rationales import gates, rank_words, rationales_of, sentiment_words, word_scores
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
    sequences = encode(tokenizer, ["the zebra is dull", "plot"], max_tokens=32)
    words = word_scores(tokenizer, sequences, gates(model, sequences))
    assert [word for word, _ in words] == ["the", "zebra", "is", "dull", "plot"]
    ids = tokenizer("zebra", add_special_tokens=False).input_ids
    assert len(ids) > 1
    of_pieces = torch.sigmoid(model.encode(torch.tensor([ids]))[1][0])
    assert words[1][1] == pytest.approx(of_pieces.mean().item(), abs=1e-5)


@pytest.mark.parametrize(
    ("rest", "alone", "auc"),
    [("the plot is", ["bad", "grand"], 1.0), ("the plot is", [], None), ("plot", ["bad"], None)],
    ids=["words of both kinds", "no labelled word", "no function word"],
)
def test_rationales_tell_what_the_kept_tokens_do(rest: str, alone: list[str], auc: float | None):
    texts = [f"{rest} bad", f"{rest} grand"]
    splits = Splits(
        [Example(text, 0) for text in (*texts, *alone)], [Example(text, 0) for text in texts]
    )
    tokenizer = train_tokenizer([*texts, "bad", "grand"], 80)
    model = load_model("random:tiny", vocab_size=len(tokenizer), gate_reads="embedding")
    sequences = encode(tokenizer, texts, 32)
    # The gate opens for the pieces that only "bad" and "grand" have.
    opening = {*sequences[0], *sequences[1]} - set(tokenizer(rest).input_ids)
    with torch.no_grad():
        model.gate.linear.weight[0, 0] = 1.0
        model.shared.weight[:, 0] = -9.0
        model.shared.weight[list(opening), 0] = 9.0
    found = rationales_of(model, tokenizer, splits)
    assert found.gate_auc == auc
    kept = [[number for number in ids if number in opening] for ids in sequences]
    tokens = sum(len(ids) - 1 for ids in sequences)
    assert found.kept_share == sum(map(len, kept)) / tokens
    assert 0 < found.effective_share < found.kept_share + 0.1
    ended = [[*ids, tokenizer.eos_token_id] for ids in kept]
    assert found.accuracy_of_kept == evaluate(model, ended, [0, 0])[0]


def test_highest_tokens_are_as_many_as_promised(monkeypatch: pytest.MonkeyPatch):
    # GIVEN two texts of four tokens, and a fresh gate, which has no token above another
    splits = Splits([], [Example("a b c d", 0), Example("a b c d", 1)])
    tokenizer = train_tokenizer(["a b c d"], 80)
    model = load_model("random:tiny", vocab_size=len(tokenizer), gate_reads="embedding")
    looked_at: list[list[list[int]]] = []

    def note(model, sequences, labels):
        looked_at.append(sequences)
        return evaluate(model, sequences, labels)

    monkeypatch.setattr(rationales, "evaluate", note)
    rationales_of(model, tokenizer, splits)
    # THEN of the eight three are left, and of equal ones the first
    (ids, _), highest = looked_at[0], looked_at[-1]
    assert len(ids) == 5
    assert highest == [[*ids[:3], ids[-1]], [ids[-1]]]
