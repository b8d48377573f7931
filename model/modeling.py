"""T5 encoder, sentiment gate, weighted pooling and a two-class head.

The encoder is T5's (Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified
Text-to-Text Transformer", JMLR 21, https://arxiv.org/abs/1910.10683), as `T5EncoderModel` has it.
Deviations from the paper: there is no decoder and no text prefix; a gate g in (0, 1) weighs each
hidden state h, and the class is read from their weighted mean Σ h_i g_i m_i / Σ g_i m_i, with m
the attention mask.

This module stands alone (torch and transformers only), so that it can be shipped with the weights.

    model = T5ForSentimentClassification.from_pretrained("google-t5/t5-small")

Shapes: B batch, T tokens, D d_model, C classes.
"""

from dataclasses import dataclass, is_dataclass
from os import PathLike
from typing import Any, Literal

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, T5Config
from transformers import initialization as init
from transformers.models.t5.modeling_t5 import T5PreTrainedModel, T5Stack
from transformers.utils import ModelOutput

if not is_dataclass(T5Config):
    # With an older one the settings below would be neither checked nor saved, without a word.
    raise ImportError(
        f"transformers is {transformers.__version__}, expected 5.4 or newer, whose configurations "
        "are data classes."
    )

LABELS = ("NEGATIVE", "POSITIVE")
SMALLEST_WEIGHT = 1e-6  # a row without tokens pools to zeros instead of 0/0; fp16 can hold it


class T5SentimentConfig(T5Config):
    """T5's configuration and what the gate, the pooling and the head need.

    Args:
        pooling: "gate" weighs tokens by the gate, "mean" weighs them alike (ablation).
        gate_reads: "encoder" (last hidden states, which know the whole sentence) or "embedding"
            (each token by itself).
        gate_threshold: at inference, tokens whose gate is below it count for nothing, save the
            strongest of a text that has none above; 0 keeps all.
        classifier_dropout: probability of dropping a unit of the pooled state.
        max_input_tokens: longest input in tokens, `</s>` included; longer ones are cut.
        temperature: what serving divides the logits by, so that scores say how often they are
            right; the model itself gives them as they are.
        model_version: first 12 hex digits of the fingerprint of the training run, if there is one.

    Raises:
        ValueError: one of these is not as said, or `num_labels` is not 2.
    """

    model_type = "t5-sentiment"

    pooling: Literal["gate", "mean"] = "gate"
    gate_reads: Literal["encoder", "embedding"] = "encoder"
    gate_threshold: float = 0.0
    max_input_tokens: int = 128
    temperature: float = 1.0
    model_version: str | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if self.pooling not in ("gate", "mean"):
            raise ValueError(f"pooling is {self.pooling!r}, expected 'gate' or 'mean'")
        if self.gate_reads not in ("encoder", "embedding"):
            raise ValueError(
                f"gate_reads is {self.gate_reads!r}, expected 'encoder' or 'embedding'"
            )
        if not 0 <= self.gate_threshold <= 1:
            raise ValueError(f"gate_threshold is {self.gate_threshold}, expected 0 to 1")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}, expected a number above 0")
        # A plain T5's config.json says it has a decoder; what is built from it here has none.
        self.is_encoder_decoder = False
        self.use_cache = False
        if kwargs.pop("num_labels", len(LABELS)) != len(LABELS):
            raise ValueError(f"num_labels is fixed at {len(LABELS)} ({', '.join(LABELS)})")
        self.id2label = dict(enumerate(LABELS))
        self.label2id = {label: number for number, label in enumerate(LABELS)}
        super().__post_init__(**kwargs)

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read config.json; a plain "t5" one is taken as ours without a warning."""
        config_dict, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        if config_dict.get("model_type") == T5Config.model_type:
            config_dict = {**config_dict, "model_type": cls.model_type}
        return config_dict, kwargs


@dataclass
class SentimentOutput(ModelOutput):
    """What `T5ForSentimentClassification` returns.

    Attributes:
        loss: mean cross-entropy in nats, a scalar; None without labels.
        logits: (B, C), class 0 is NEGATIVE and class 1 POSITIVE.
        gate_scores: (B, T) in [0, 1], 0 at padding; with mean pooling the mask itself.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    gate_scores: Tensor | None = None


class SentimentGate(nn.Module):
    """How much each token counts: sigmoid(w · h + b)."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_model, 1)

    def forward(self, states: Tensor) -> Tensor:
        """Map what the gate reads (B, T, D) to logits (B, T); g is their sigmoid."""
        logits: Tensor = self.linear(states).squeeze(-1)
        return logits


def pool(hidden_states: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over tokens: (B, T, D) and weights (B, T), 0 at padding, give (B, D).

    A row whose weights are all 0 gives zeros.
    """
    weighted_sum = (hidden_states * weights.unsqueeze(-1)).sum(dim=1)  # (B, D)
    total = weights.sum(dim=1, keepdim=True).clamp_min(SMALLEST_WEIGHT)  # (B, 1)
    return weighted_sum / total


class T5ForSentimentClassification(T5PreTrainedModel):
    """The classifier; `from_pretrained` takes a plain T5, a T5 encoder, or one of our own.

    From a plain T5 the embedding and the encoder are taken, decoder and language head are left,
    and gate and head start fresh. One of our own checkpoints must hold all weights.
    """

    config_class = T5SentimentConfig
    _tied_weights_keys = {"encoder.embed_tokens.weight": "shared.weight"}  # noqa: RUF012 - as T5's
    _keys_to_ignore_on_load_unexpected = [r"^decoder\.", r"^lm_head\."]  # noqa: RUF012 - as T5's

    def __init__(self, config: T5SentimentConfig) -> None:
        super().__init__(config)
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = T5Stack(config)
        self.gate = SentimentGate(config.d_model)
        self.dropout = nn.Dropout(config.classifier_dropout)
        # Dense + tanh before it, as T5ForSequenceClassification has, gained nothing beyond noise.
        self.classifier = nn.Linear(config.d_model, len(LABELS))
        if type(self).__name__ not in (config.architectures or ()):
            # What is being loaded (if anything) is a backbone, which has neither gate nor head.
            self._keys_to_ignore_on_load_missing = [r"^gate\.", r"^classifier\."]
        self.post_init()

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, pretrained_model_name_or_path: str | PathLike[str], *args: Any, **kwargs: Any
    ) -> Any:
        """Load weights; see `PreTrainedModel.from_pretrained` for the arguments.

        Raises:
            ValueError: weights are missing that this checkpoint should hold.
            OSError: there is no such checkpoint.
        """
        return_info = kwargs.pop("output_loading_info", False)
        kwargs["output_loading_info"] = True
        loaded: Any = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        model, info = loaded
        if info["missing_keys"]:
            raise ValueError(
                f"{str(pretrained_model_name_or_path)!r} lacks {len(info['missing_keys'])} weights "
                f"of {cls.__name__}, such as {min(info['missing_keys'])!r}. Expected a complete T5 "
                "encoder or a checkpoint saved by this class; save it again or pass another."
            )
        return (model, info) if return_info else model

    def get_input_embeddings(self) -> nn.Module:
        """Return the token embedding, shared with the encoder."""
        return self.shared

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the token embedding here and in the encoder."""
        self.shared = value  # type: ignore[assignment]
        self.encoder.set_input_embeddings(value)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # Leaves are told by identity: transformers 5.23 skips, in classes that are not its own,
        # modules whose parameters all sit in children.
        factor = self.config.initializer_factor
        if module is self.gate.linear:
            # Zeros make every gate 0.5: training starts from mean pooling and leaves it if it pays.
            init.zeros_(module.weight)
            init.zeros_(module.bias)
        elif module is self.classifier:
            init.normal_(module.weight, mean=0.0, std=factor * self.config.d_model**-0.5)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)  # the embedding's std is `factor` too, as in T5

    def encode(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Give hidden states (B, T, D) and the gate's logits (B, T); arguments as `forward`'s."""
        if self.config.gate_reads == "encoder":
            hidden_states = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds
            ).last_hidden_state
            return hidden_states, self.gate(hidden_states)
        embedded = self.shared(input_ids) if inputs_embeds is None else inputs_embeds
        hidden_states = self.encoder(
            attention_mask=attention_mask, inputs_embeds=embedded
        ).last_hidden_state
        # Embeddings come in any size; only their direction should count.
        return hidden_states, self.gate(nn.functional.rms_norm(embedded, embedded.shape[-1:]))

    def classify(self, hidden_states: Tensor, weights: Tensor) -> Tensor:
        """Give logits (B, C) from hidden states (B, T, D) and the tokens' weights (B, T)."""
        logits: Tensor = self.classifier(self.dropout(pool(hidden_states, weights)))
        return logits

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> SentimentOutput:
        """Classify a batch.

        Args:
            input_ids: token ids (B, T); give either these or `inputs_embeds`.
            attention_mask: (B, T), 1 for a token and 0 for padding; None means no padding.
            inputs_embeds: embedded tokens (B, T, D).
            labels: class numbers (B,); with them the output has a loss.
        """
        hidden_states, gate_logits = self.encode(input_ids, attention_mask, inputs_embeds)
        if attention_mask is None:
            attention_mask = hidden_states.new_ones(hidden_states.shape[:2])
        gate_scores = attention_mask.to(hidden_states.dtype)  # (B, T)
        if self.config.pooling == "gate":
            gate_scores = gate_scores * torch.sigmoid(gate_logits)
        if self.config.gate_threshold and not self.training:
            strongest = gate_scores.amax(dim=1, keepdim=True)  # (B, 1)
            least = strongest.clamp(max=self.config.gate_threshold)
            gate_scores = gate_scores * (gate_scores >= least)
        logits = self.classify(hidden_states, gate_scores)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits.float(), labels)
        return SentimentOutput(loss=loss, logits=logits, gate_scores=gate_scores)


def register_auto_classes() -> None:
    """Let AutoConfig and AutoModelForSequenceClassification find the classes above.

    To be called once before the Auto classes are used; a second call changes nothing.
    """
    AutoConfig.register(T5SentimentConfig.model_type, T5SentimentConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(
        T5SentimentConfig, T5ForSentimentClassification, exist_ok=True
    )
