"""What the gate is compared with, held against what each promises."""

import pytest
import torch

from bench.explanations import attention_received, chance, gradient_times_input
from model.modeling import T5ForSentimentClassification, T5SentimentConfig

TEXTS = [[17, 42, 5, 9, 1], [8, 3, 1]]


@pytest.fixture
def model() -> T5ForSentimentClassification:
    torch.manual_seed(0)
    sizes = {"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2}
    made = T5ForSentimentClassification(T5SentimentConfig(**sizes, num_heads=2))
    torch.nn.init.normal_(made.classifier.weight)
    return made.eval()


def test_gradient_foretells_a_small_change(model: T5ForSentimentClassification):
    found = gradient_times_input(model, TEXTS)

    def margin(scale: torch.Tensor) -> float:
        embedded = model.shared(torch.tensor([TEXTS[0]])) * scale.unsqueeze(-1)
        logits = model(inputs_embeds=embedded).logits[0]
        return (logits.max() - logits.min()).item()

    for place in range(len(TEXTS[0])):
        step = 1e-2 * torch.eye(len(TEXTS[0]))[place]
        change = (margin(1 + step) - margin(1 - step)) / 2e-2
        assert found[0][place] == pytest.approx(change, rel=2e-2, abs=2e-3)
    assert [len(scores) for scores in found] == [5, 3]


def test_attention_of_each_token_goes_somewhere(model: T5ForSentimentClassification):
    before = model.config._attn_implementation
    found = attention_received(model, TEXTS)
    assert [sum(scores) for scores in found] == pytest.approx([5, 3], abs=1e-4)
    assert model.config._attn_implementation == before


def test_chance_repeats_with_its_seed():
    assert chance(TEXTS, 1) == chance(TEXTS, 1) != chance(TEXTS, 2)
    assert [len(scores) for scores in chance(TEXTS, 0)] == [5, 3]
