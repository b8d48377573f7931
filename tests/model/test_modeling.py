"""The classifier against T5's own encoder, against arithmetic, and through files."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

from model.modeling import (
    T5ForSentimentClassification,
    T5SentimentConfig,
    pool,
    register_auto_classes,
)

SIZES = {"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}


def make_model(**changes) -> T5ForSentimentClassification:
    torch.manual_seed(0)
    model = T5ForSentimentClassification(T5SentimentConfig(**SIZES, **changes))
    # A fresh gate is flat; the tests need one that tells tokens apart.
    torch.nn.init.normal_(model.gate.linear.weight)
    return model.eval()


def make_batch(lengths: list[int], longest: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    input_ids = torch.randint(3, 60, (len(lengths), longest), generator=generator)
    mask = (torch.arange(longest) < torch.tensor(lengths).unsqueeze(1)).long()
    return {"input_ids": input_ids * mask, "attention_mask": mask}


def test_transformers_that_would_drop_our_settings_is_refused():
    # Before 5.4, T5Config was no data class.
    old = "import transformers; transformers.T5Config = type('T5Config', (), {})"
    program = f"{old}; import model.modeling"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "ImportError: transformers is 5." in run.stderr
    assert "expected 5.4 or newer" in run.stderr


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_encoder_equals_t5_encoder(tmp_path: Path, attention: str):
    reference = T5EncoderModel(T5Config(**SIZES)).eval()
    reference.save_pretrained(tmp_path)
    model = T5ForSentimentClassification.from_pretrained(tmp_path, attn_implementation=attention)
    batch = make_batch([7, 3], 7)
    ours = model.eval().encoder(**batch).last_hidden_state
    theirs = reference(**batch).last_hidden_state
    assert model.config._attn_implementation == attention
    mask = batch["attention_mask"].bool()
    torch.testing.assert_close(ours[mask], theirs[mask])


def test_gate_pooling_equals_float64_arithmetic():
    model = make_model().double()
    batch = make_batch([5, 2, 4], 5)
    output = model(**batch)
    hidden = model.encoder(**batch).last_hidden_state
    weight, bias = model.gate.linear.weight[0].tolist(), model.gate.linear.bias.item()
    for row, length in enumerate([5, 2, 4]):
        gates = [
            1 / (1 + torch.exp(-torch.dot(hidden[row, i], torch.tensor(weight).double()) - bias))
            for i in range(length)
        ]
        pooled = sum(gates[i] * hidden[row, i] for i in range(length)) / sum(gates)
        logits = model.classifier.weight @ pooled + model.classifier.bias
        torch.testing.assert_close(output.gate_scores[row, :length], torch.stack(gates))
        torch.testing.assert_close(output.logits[row], logits)


def test_mean_pooling_equals_masked_mean():
    model = make_model(pooling="mean")
    batch = make_batch([6, 1], 6)
    hidden = model.encoder(**batch).last_hidden_state
    means = torch.stack([hidden[0].mean(dim=0), hidden[1, :1].mean(dim=0)])
    torch.testing.assert_close(model(**batch).logits, model.classifier(means))


@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    padding=st.integers(0, 12),
    pooling=st.sampled_from(["gate", "mean"]),
)
def test_padding_changes_nothing(lengths: list[int], padding: int, pooling: str):
    model = make_model(pooling=pooling)
    batch = make_batch(lengths, max(lengths) + padding)
    output = model(**batch)
    for row, length in enumerate(lengths):
        alone = model(input_ids=batch["input_ids"][row : row + 1, :length])
        torch.testing.assert_close(output.logits[row : row + 1], alone.logits, atol=1e-5, rtol=1e-4)
        assert torch.all(output.gate_scores[row, length:] == 0)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_row_without_tokens_stays_finite(attention: str):
    model = make_model(attn_implementation=attention)
    output = model(**make_batch([3, 0], 3), labels=torch.tensor([0, 1]))
    output.loss.backward()
    assert torch.isfinite(output.logits).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    torch.testing.assert_close(output.logits[1], model.classifier.bias)


def test_pool_ignores_gate_scale():
    hidden, weights = torch.randn(2, 4, 8), torch.rand(2, 4) + 0.1
    torch.testing.assert_close(pool(hidden, weights), pool(hidden, weights / 100))


def test_gate_receives_a_gradient():
    model = T5ForSentimentClassification(T5SentimentConfig(**SIZES))
    model(**make_batch([5, 4], 5), labels=torch.tensor([0, 1])).loss.backward()
    assert model.gate.linear.weight.grad.abs().sum() > 0
    assert model.shared.weight.grad.abs().sum() > 0


def test_fresh_gate_is_flat():
    model = T5ForSentimentClassification(T5SentimentConfig(**SIZES)).eval()
    scores = model(**make_batch([4], 4)).gate_scores
    torch.testing.assert_close(scores, torch.full_like(scores, 0.5))


def test_round_trip_keeps_logits(tmp_path: Path):
    model = make_model(model_version="0123456789ab")
    model.save_pretrained(tmp_path)
    again = T5ForSentimentClassification.from_pretrained(tmp_path).eval()
    batch = make_batch([6, 2], 6)
    assert torch.equal(again(**batch).logits, model(**batch).logits)
    assert again.config.model_version == "0123456789ab"
    assert again.config.id2label == {0: "NEGATIVE", 1: "POSITIVE"}


@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
def test_loads_from_full_t5(tmp_path: Path, feed_forward: str, caplog: pytest.LogCaptureFixture):
    full = T5ForConditionalGeneration(T5Config(**SIZES, feed_forward_proj=feed_forward))
    full.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING):
        model = T5ForSentimentClassification.from_pretrained(tmp_path)
    assert not caplog.records
    for name, weight in full.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], weight), name
    assert model.encoder.embed_tokens.weight is model.shared.weight
    assert model.gate.linear.weight.abs().sum() == 0
    assert model.classifier.weight.abs().sum() > 0


def test_own_checkpoint_must_be_whole(tmp_path: Path):
    make_model().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["gate.linear.bias"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights .* 'gate.linear.bias'"):
        T5ForSentimentClassification.from_pretrained(tmp_path)


def test_auto_classes_find_ours(tmp_path: Path):
    register_auto_classes()
    register_auto_classes()
    make_model().save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is T5SentimentConfig
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(model) is T5ForSentimentClassification


def test_embedding_gate_sees_each_token_alone():
    model = make_model(gate_reads="embedding")
    alone = model(input_ids=torch.tensor([[7]])).gate_scores
    among = model(input_ids=torch.tensor([[9, 7, 3]])).gate_scores
    assert among[0, 1].item() == pytest.approx(alone.item())
    assert among.std() > 0.01
    given = model(inputs_embeds=model.shared(torch.tensor([[9, 7, 3]])))
    assert torch.equal(given.gate_scores, among)


def test_threshold_drops_all_below_but_the_strongest():
    batch = make_batch([6, 4], 6)
    model = make_model()
    plain = model(**batch)
    threshold = plain.gate_scores[0].sort(descending=True).values[2].item()
    model.config.gate_threshold = threshold
    scores = model(**batch).gate_scores
    kept = plain.gate_scores[0] >= threshold
    assert torch.equal(scores[0], plain.gate_scores[0] * kept)
    assert kept.sum() == 3
    model.config.gate_threshold = 1.0
    found = model(**batch)
    assert (found.gate_scores > 0).sum(dim=1).tolist() == [1, 1]
    assert torch.equal(found.gate_scores.amax(dim=1), plain.gate_scores.amax(dim=1))
    model.train()
    assert torch.equal(model(**batch).gate_scores > 0, batch["attention_mask"] == 1)


@pytest.mark.parametrize(
    "wrong",
    [{"pooling": "max"}, {"num_labels": 3}, {"gate_reads": "decoder"}, {"gate_threshold": 2.0}],
)
def test_wrong_configuration_is_refused(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        T5SentimentConfig(**wrong)


def test_standin_backbone_gives_scores(shared: Path):
    model = T5ForSentimentClassification.from_pretrained(shared / "models" / "t5-reviews-mini")
    output = model.eval()(input_ids=torch.tensor([[100, 200, 300, 1]]))
    assert output.logits.shape == (1, 2)
    assert output.gate_scores.shape == (1, 4)
    assert torch.isfinite(output.logits).all()
