"""REINFORCE: the gate as a policy that learns which tokens to keep.

Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning" (https://doi.org/10.1007/BF00992696), as Lei et al. 2016 ("Rationalizing neural
predictions", https://arxiv.org/abs/1606.04155) set it up for text: the gate's g_i is the
probability of keeping token i; a sample of keep-or-drop decisions is an action; the kept tokens
alone are classified, and the reward is log p(true class) minus a price times the kept share. The
policy's gradient is E[advantage · ∇ log p(action)], through the log-probabilities only.

Deviations from the paper:
- several samples an example, and a baseline from them (`advantages`);
- advantages are divided by their standard deviation over the batch;
- an entropy bonus keeps the gate from closing too early;
- the classifier learns jointly, from the whole text and from one sample of it. There the gate's
  values weigh the tokens as at inference, but as constants.
Dropped tokens are removed from the input and the rest is encoded anew: a hidden state of the whole
text has seen every token, so leaving its neighbours out of the pooling would cost nothing.

Shapes: B batch, T tokens, C classes, K samples an example.
"""

import torch
from torch import Tensor, nn

from model.modeling import T5ForSentimentClassification
from model.settings import TrainingSettings

PAD_ID, EOS_ID = 0, 1  # of every tokenizer that model/tokenizer.py gives
SMALLEST_STD = 1e-6  # where all rewards are alike there is nothing to learn, and no division by 0


def reinforce_loss(
    model: T5ForSentimentClassification,
    batch: dict[str, Tensor],
    settings: TrainingSettings,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Give the loss to minimise, and scalars that tell how the policy does on the batch.

    These are, as means: "loss", the cross-entropy of the whole texts in nats; "reward" of the
    samples in nats, where 0 is the best there is; "kept_share", the share of tokens that a sample
    keeps; and "entropy" of a decision in nats, log 2 = 0.69 where the gate is undecided.

    Args:
        model: in training mode.
        batch: input_ids (B, T), attention_mask (B, T) and labels (B,).
        settings: those that begin with `reinforce_` are used.
    """
    input_ids, mask, labels = batch["input_ids"], batch["attention_mask"], batch["labels"]
    hidden_states, gate_logits = model.encode(input_ids, mask)
    gate = torch.sigmoid(gate_logits).detach()
    smoothing = settings.label_smoothing
    logits = model.classify(hidden_states, gate * mask)
    whole = smoothed_cross_entropy(logits, labels, smoothing).mean()
    actions = action_mask(input_ids, mask)
    keep = sample_keep(gate_logits, actions, settings.reinforce_samples)
    logits = _classify_kept(model, batch, gate, keep[0], actions)
    of_sample = smoothed_cross_entropy(logits, labels, smoothing).mean()
    tried = keep
    if settings.reinforce_baseline == "self-critical":
        tried = torch.cat([keep, ((gate_logits > 0) & actions).unsqueeze(0).to(keep.dtype)])
    rewards = _log_likelihoods(model, batch, gate, tried, actions)
    rewards = rewards - settings.reinforce_price * kept_share(tried, actions)
    rewards, greedy_rewards = rewards[: len(keep)], rewards[-1]
    advantage = normalised(advantages(rewards, settings.reinforce_baseline, greedy_rewards))
    policy = policy_loss(advantage, log_prob(gate_logits, keep, actions))
    decided = entropy(gate_logits, actions)
    loss = whole + of_sample + settings.reinforce_weight * policy
    loss = loss - settings.reinforce_entropy * decided
    return loss, {
        "loss": whole.detach(),
        "reward": rewards.mean(),
        "kept_share": kept_share(keep, actions).mean(),
        "entropy": decided.detach(),
    }


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy (B,) in nats, where `smoothing` of each label goes to all classes alike."""
    return nn.functional.cross_entropy(
        logits.float(), labels, reduction="none", label_smoothing=smoothing
    )


def _classify_kept(
    model: T5ForSentimentClassification,
    batch: dict[str, Tensor],
    gate: Tensor,
    keep: Tensor,
    actions: Tensor,
) -> Tensor:
    """Logits (B, C) of what `keep` (B, T) leaves, `</s>` with it."""
    mask = batch["attention_mask"]
    ids, kept_mask, places = remove_dropped(batch["input_ids"], mask, (keep == 1) | ~actions)
    hidden_states = model.encoder(input_ids=ids, attention_mask=kept_mask).last_hidden_state
    return model.classify(hidden_states, gate.gather(1, places) * kept_mask)


@torch.no_grad()
def _log_likelihoods(
    model: T5ForSentimentClassification,
    batch: dict[str, Tensor],
    gate: Tensor,
    keep: Tensor,
    actions: Tensor,
) -> Tensor:
    """Log p(true class) (K, B) given what the decisions `keep` (K, B, T) leave, dropout off."""
    samples = len(keep)
    repeated = {name: torch.cat([tensor] * samples) for name, tensor in batch.items()}
    gates, allowed = torch.cat([gate] * samples), torch.cat([actions] * samples)
    model.eval()
    try:
        logits = _classify_kept(model, repeated, gates, keep.flatten(0, 1), allowed)
    finally:
        model.train()  # also where memory ran out: the step may be taken again in smaller parts
    return -smoothed_cross_entropy(logits, repeated["labels"]).view(samples, -1)


def action_mask(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Which tokens (B, T) the policy decides on: all but padding and `</s>`."""
    return (attention_mask == 1) & (input_ids != EOS_ID)


def sample_keep(gate_logits: Tensor, actions: Tensor, samples: int) -> Tensor:
    """Draw `samples` times which tokens to keep: (K, B, T) in {0, 1}, 0 outside `actions`.

    A gate that is not a number keeps nothing: torch would refuse to draw, where the loss of that
    step, which is not a number either, ends the run with its name.
    """
    keep_probs = torch.sigmoid(gate_logits.detach().float()) * actions
    return torch.bernoulli(keep_probs.nan_to_num().expand(samples, -1, -1))


def log_prob(gate_logits: Tensor, keep: Tensor, actions: Tensor) -> Tensor:
    """Log-probability (K, B) of the decisions `keep` (K, B, T), in nats."""
    logits = gate_logits.float().expand_as(keep)
    each = -nn.functional.binary_cross_entropy_with_logits(logits, keep, reduction="none")
    return (each * actions).sum(dim=-1)


def entropy(gate_logits: Tensor, actions: Tensor) -> Tensor:
    """Mean entropy of a decision, in nats, a scalar; log 2 where the gate is undecided."""
    logits = gate_logits.float()
    keep_probs = torch.sigmoid(logits)
    # -p log p - (1 - p) log (1 - p), from logits: exact where p is 0 or 1 to float precision.
    each = nn.functional.softplus(logits) - keep_probs * logits
    return (each * actions).sum() / actions.sum().clamp_min(1)


def kept_share(keep: Tensor, actions: Tensor) -> Tensor:
    """Share (K, B) of the tokens decided on that are kept; 0 for a text without any."""
    return keep.sum(dim=-1) / actions.sum(dim=-1).clamp_min(1)


def advantages(rewards: Tensor, baseline: str, greedy_rewards: Tensor | None = None) -> Tensor:
    """Rewards (K, B) less what was to be expected without knowing the sample.

    Each baseline is independent of the sample it is taken from, so the gradient stays unbiased:
    "leave-one-out" is the mean of the example's other samples (Kool et al. 2019,
    https://openreview.net/forum?id=r1lgTGL5DE), "self-critical" the reward (B,) of the gate's most
    likely decision (Rennie et al. 2017, https://arxiv.org/abs/1612.00563), "none" is 0.
    """
    if baseline == "leave-one-out":
        others = (rewards.sum(dim=0) - rewards) / (len(rewards) - 1)
        return rewards - others
    if baseline == "self-critical":
        assert greedy_rewards is not None  # noqa: S101
        return rewards - greedy_rewards
    return rewards


def normalised(values: Tensor) -> Tensor:
    """Divide by the standard deviation over the batch, so that the price does not set the pace."""
    return values / values.std(unbiased=False).clamp_min(SMALLEST_STD)


def policy_loss(advantage: Tensor, log_probs: Tensor) -> Tensor:
    """A scalar whose gradient is minus REINFORCE's estimate, the mean over samples and examples."""
    return -(advantage.detach() * log_probs).mean()


def remove_dropped(
    input_ids: Tensor, attention_mask: Tensor, keep: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Texts (N, T) without the tokens that `keep` (N, T, bool) drops, order kept, padded anew.

    Gives ids (N, S), mask (N, S), and for each place the token's former place (N, S).
    """
    kept = keep & (attention_mask == 1)
    longest = max(int(kept.sum(dim=1).max()), 1)
    places = torch.argsort(kept.int(), dim=1, descending=True, stable=True)[:, :longest]
    mask = kept.gather(1, places)
    ids = input_ids.gather(1, places).masked_fill(~mask, PAD_ID)
    return ids, mask.to(attention_mask.dtype), places
