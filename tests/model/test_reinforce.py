"""REINFORCE against arithmetic and enumeration, and in training; wrong signs are noticed."""

import itertools
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model import reinforce
from model.backbone import load_model
from model.modeling import T5ForSentimentClassification, T5SentimentConfig
from model.report import TrainingProgress
from model.settings import TrainingSettings
from model.training import TrainingInterrupted
from tests.model.test_training import EXAMPLES, SETTINGS, TOKENIZER, assert_same_weights, train

TOKENS = 3  # and `</s>`: 8 decisions to enumerate
IDS = [17, 42, 5, reinforce.EOS_ID, reinforce.PAD_ID]
SIZES = {"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
POLICY_ALONE = TrainingSettings(
    reinforce=True, reinforce_weight=1.0, reinforce_entropy=0.0, reinforce_price=0.3
)


def make_model(gate_reads: str = "embedding") -> T5ForSentimentClassification:
    """A random model without dropout whose gate and head tell tokens apart."""
    torch.manual_seed(1)
    config = T5SentimentConfig(**SIZES, gate_reads=gate_reads, dropout_rate=0.0)
    model = T5ForSentimentClassification(config)
    torch.nn.init.normal_(model.gate.linear.weight, std=0.2)
    torch.nn.init.normal_(model.classifier.weight)
    return model.train()


def make_batch(rows: int) -> dict[str, Tensor]:
    ids = torch.tensor([IDS]).repeat(rows, 1)
    mask = (ids != reinforce.PAD_ID).long()
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.ones(rows, dtype=torch.long)}


def gate_gradient(model: T5ForSentimentClassification) -> Tensor:
    linear = model.gate.linear
    return torch.cat([linear.weight.grad.flatten(), linear.bias.grad])


def exact_gradient(model: T5ForSentimentClassification, price: float) -> Tensor:
    """The gradient of minus the expected reward: every decision, weighed by its probability.

    Written without the module under test: each kept text is classified by itself.
    """
    whole = torch.tensor([IDS[: TOKENS + 1]])
    gate_logits = model.encode(whole)[1][0, :TOKENS]
    keep_probs = torch.sigmoid(gate_logits)
    expected = torch.zeros(())
    for kept in itertools.product((True, False), repeat=TOKENS):
        places = [place for place in range(TOKENS) if kept[place]] + [TOKENS]
        with torch.no_grad():
            hidden = model.encoder(input_ids=whole[:, places]).last_hidden_state
            weights = torch.sigmoid(model.encode(whole)[1])[:, places]
            log_probs = torch.log_softmax(model.classify(hidden, weights), dim=-1)
            reward = log_probs[0, 1] - price * sum(kept) / TOKENS
        probability = torch.where(torch.tensor(kept), keep_probs, 1 - keep_probs).prod()
        expected = expected + probability * reward
    model.zero_grad()
    (-expected).backward()
    return gate_gradient(model)


def assert_unbiased(settings: TrainingSettings = POLICY_ALONE) -> None:
    """`reinforce_loss` has the exact gradient for its mean, to five standard errors."""
    model = make_model()
    exact = exact_gradient(model, settings.reinforce_price)
    torch.manual_seed(0)
    estimates = []
    for _ in range(16):
        model.zero_grad()
        reinforce.reinforce_loss(model, make_batch(128), settings)[0].backward()
        estimates.append(gate_gradient(model))
    found = torch.stack(estimates)
    error = found.std(dim=0) / math.sqrt(len(found))
    if error.max() > exact.abs().max() / 10:
        raise RuntimeError("too noisy a check to notice anything")
    assert ((found.mean(dim=0) - exact).abs() <= 5 * error + 1e-7).all(), "biased"


@pytest.fixture
def as_they_are(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Advantages are not normalised: only like this is the estimate unbiased."""
    monkeypatch.setattr(reinforce, "normalised", lambda values: values)
    return monkeypatch


@pytest.mark.usefixtures("as_they_are")
@pytest.mark.parametrize("baseline", ["leave-one-out", "self-critical", "none"])
def test_estimate_is_unbiased(baseline: str):
    assert_unbiased(replace(POLICY_ALONE, reinforce_baseline=baseline))


def negated(function: Callable) -> Callable:
    return lambda *arguments: -function(*arguments)


MUTATIONS: dict[str, tuple[str, Callable]] = {
    "sign of the loss": ("policy_loss", negated),
    "sign of the advantage": ("advantages", negated),
    "decisions swapped in their probability": (
        "log_prob",
        lambda function: lambda logits, keep, actions: function(logits, 1 - keep, actions),
    ),
    "kept tokens are the removed ones": (
        "remove_dropped",
        lambda function: lambda ids, mask, keep: function(ids, mask, ~keep | (ids == 1)),
    ),
    "`</s>` and padding decided on, words not": (
        "action_mask",
        lambda function: lambda ids, mask: ~function(ids, mask),
    ),
    "price added": ("kept_share", negated),
    "baseline is the sample's own reward": (
        "advantages",
        lambda _: lambda rewards, *_: torch.zeros_like(rewards),
    ),
}


@pytest.mark.parametrize(("name", "mutate"), MUTATIONS.values(), ids=MUTATIONS.keys())
def test_mutation_is_noticed(as_they_are: pytest.MonkeyPatch, name: str, mutate: Callable):
    as_they_are.setattr(reinforce, name, mutate(getattr(reinforce, name)))
    with pytest.raises(AssertionError, match="biased"):
        assert_unbiased()


def test_gradient_equals_one_by_hand():
    gate_logits = torch.tensor([[0.5, -1.0, 2.0]], requires_grad=True)
    keep = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    actions = torch.tensor([[True, True, False]])
    advantage = torch.tensor([[0.7], [-0.2]])
    log_probs = reinforce.log_prob(gate_logits, keep, actions)
    reinforce.policy_loss(advantage, log_probs).backward()
    p = [1 / (1 + math.exp(-logit)) for logit in (0.5, -1.0)]
    # d log p(m) / d logit = m - p; the mean over two samples, and a loss goes down.
    by_hand = [
        -(0.7 * (1 - p[0]) - 0.2 * (0 - p[0])) / 2,
        -(0.7 * (0 - p[1]) - 0.2 * (1 - p[1])) / 2,
    ]
    torch.testing.assert_close(gate_logits.grad, torch.tensor([[*by_hand, 0.0]]))
    assert log_probs[0, 0].item() == pytest.approx(math.log(p[0]) + math.log(1 - p[1]))


def test_baselines_are_what_they_say():
    rewards = torch.tensor([[1.0], [2.0], [6.0]])
    others = reinforce.advantages(rewards, "leave-one-out")
    assert others.flatten().tolist() == [1 - 4, 2 - 3.5, 6 - 1.5]
    greedy = reinforce.advantages(rewards, "self-critical", torch.tensor([4.0]))
    assert greedy.flatten().tolist() == [-3, -2, 2]
    assert torch.equal(reinforce.advantages(rewards, "none"), rewards)
    assert reinforce.normalised(others).std(unbiased=False).item() == pytest.approx(1)
    assert torch.equal(reinforce.normalised(torch.zeros(2, 2)), torch.zeros(2, 2))


@pytest.mark.usefixtures("as_they_are")
def test_baseline_lowers_the_variance():
    spread = {}
    for baseline in ("leave-one-out", "self-critical", "none"):
        model = make_model()
        settings = replace(POLICY_ALONE, reinforce_baseline=baseline)
        torch.manual_seed(0)
        found = []
        for _ in range(100):
            model.zero_grad()
            reinforce.reinforce_loss(model, make_batch(2), settings)[0].backward()
            found.append(gate_gradient(model))
        spread[baseline] = torch.stack(found).var(dim=0).sum().item()
    assert spread["leave-one-out"] < 0.75 * spread["none"]
    assert spread["self-critical"] < 0.75 * spread["none"]


def test_padding_and_end_are_no_actions():
    batch = make_batch(200)
    actions = reinforce.action_mask(batch["input_ids"], batch["attention_mask"])
    assert actions[0].tolist() == [True] * TOKENS + [False, False]
    gate_logits = torch.full(actions.shape, 4.0, requires_grad=True)
    keep = reinforce.sample_keep(gate_logits, actions, samples=4)
    assert keep[..., :TOKENS].mean() > 0.9
    assert not keep[..., TOKENS:].any()
    reinforce.log_prob(gate_logits, keep, actions).sum().backward()
    assert not gate_logits.grad[:, TOKENS:].any()


def test_dropped_tokens_are_removed_in_order():
    ids = torch.tensor([[7, 8, 9, 1, 0], [7, 1, 0, 0, 0]])
    keep = torch.tensor([[True, False, True, True, False], [False, True, True, True, True]])
    found, mask, places = reinforce.remove_dropped(ids, (ids != 0).long(), keep)
    assert found.tolist() == [[7, 9, 1], [1, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert places[0].tolist() == [0, 2, 3]


def test_entropy_is_that_of_a_coin():
    actions = torch.tensor([[True, True, False]])
    undecided = reinforce.entropy(torch.tensor([[0.0, 0.0, 9.0]]), actions)
    assert undecided.item() == pytest.approx(math.log(2))
    p = 0.9
    decided = reinforce.entropy(torch.full((1, 3), math.log(p / (1 - p))), actions)
    assert decided.item() == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p))
    assert reinforce.entropy(torch.full((1, 3), 200.0), actions).item() == 0


@pytest.mark.parametrize("gate_reads", ["embedding", "encoder"])
def test_gate_learns_through_log_probs_only(gate_reads: str):
    model = make_model(gate_reads)
    without = replace(POLICY_ALONE, reinforce_weight=0.0)
    loss, _ = reinforce.reinforce_loss(model, make_batch(8), without)
    loss.backward()
    assert not gate_gradient(model).any()
    assert model.classifier.weight.grad.any()


def test_price_is_paid_by_kept_share():
    rewards = []
    for price in (0.0, 2.0):
        torch.manual_seed(0)
        settings = replace(POLICY_ALONE, reinforce_price=price)
        _, figures = reinforce.reinforce_loss(make_model(), make_batch(64), settings)
        rewards.append(figures["reward"].item())
    assert rewards[0] - rewards[1] == pytest.approx(2 * figures["kept_share"].item(), abs=1e-4)


WITH_REINFORCE = replace(SETTINGS, reinforce=True, epochs=2)


def run(work_dir: Path, progress=lambda _report: None):
    model = load_model(
        "random:tiny", vocab_size=len(TOKENIZER), gate_reads=WITH_REINFORCE.gate_reads
    )
    return train(
        model,
        TOKENIZER,
        train_set=EXAMPLES,
        validation_set=EXAMPLES[::3],
        settings=WITH_REINFORCE,
        work_dir=work_dir,
        progress=progress,
        fingerprint="f",
    )


def test_training_resumes_bit_for_bit(tmp_path: Path):
    def stop(report: TrainingProgress) -> None:
        if report.step == 6 and report.last_evaluation and report.last_evaluation.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    reports: list[TrainingProgress] = []
    whole = run(tmp_path / "whole", reports.append)
    with pytest.raises(TrainingInterrupted):
        run(tmp_path / "stopped", stop)
    resumed = run(tmp_path / "stopped")
    assert resumed.resumed_from_step == 6
    assert_same_weights(tmp_path / "whole", tmp_path / "stopped")
    for first, again in zip(whole.history, resumed.history, strict=True):
        assert replace(first, seconds=0) == replace(again, seconds=0)
        assert first.reward is not None
        assert first.reward < 0
        assert 0 < first.kept_share < 1
        assert 0 < first.entropy <= math.log(2) + 1e-6
    assert reports[-1].kept_share == whole.history[-1].kept_share


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match=r"reinforce_samples is 1, expected at least 2 where"):
        TrainingSettings(reinforce_samples=1)
    assert TrainingSettings(reinforce_samples=1, reinforce_baseline="self-critical")
    with pytest.raises(ValueError, match=r"pooling is 'mean' and reinforce true, expected"):
        TrainingSettings(pooling="mean")
