"""Where the encoder's weights come from: random ones, a local folder, or the Hugging Face hub.

A backbone is named by a string: "random:tiny" (the demo), "random:t5-small" (the real size, for
speed and memory), a folder with config.json and safetensors weights, or a hub name, which may
carry a revision after "@" ("google-t5/t5-small@main"). Weights are read from safetensors only.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.utils.hub import cached_file, extract_commit_hash

from model.checkpoint import quiet_transformers
from model.modeling import T5ForSentimentClassification, T5SentimentConfig

RANDOM: dict[str, dict[str, Any]] = {
    "random:tiny": {
        "d_model": 128,
        "d_kv": 32,
        "d_ff": 512,
        "num_layers": 2,
        "num_heads": 4,
        # T5 starts embeddings at a standard deviation of 1, too far for a short run to move.
        "initializer_factor": 0.3,
    },
    # T5-Small's sizes, Raffel et al. 2020, section 3.1.1 and appendix; vocab 32,000 pieces + 128.
    "random:t5-small": {
        "vocab_size": 32128,
        "d_model": 512,
        "d_kv": 64,
        "d_ff": 2048,
        "num_layers": 6,
        "num_heads": 8,
    },
}
# The hub's head can move; a name below means this commit of it unless another is asked for.
PINNED = {
    "t5-small": "df1b051c49625cf57a3d0d8d3863ed4d13564fe4",
    "google-t5/t5-small": "df1b051c49625cf57a3d0d8d3863ed4d13564fe4",
}
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?")
MOST_UNUSED = 1024  # embeddings without a token: sizes are rounded up for the hardware's sake
CHUNK = 1 << 20  # bytes read at a time


class BackboneError(ValueError):
    """The backbone cannot be used; the message names it and says what to do."""


@dataclass(frozen=True)
class HubName:
    """A model on the hub and the revision of it to take (None: the newest)."""

    name: str
    revision: str | None

    @classmethod
    def parse(cls, text: str) -> "HubName":
        """Split "owner/name@revision"; a pinned name without a revision gets its pin."""
        name, _, revision = text.partition("@")
        return cls(name, revision or PINNED.get(name))


def load_model(
    backbone: str,
    *,
    vocab_size: int,
    pooling: str = "gate",
    gate_reads: str = "encoder",
    gate_threshold: float = 0.0,
    dropout: float = 0.1,
    max_input_tokens: int = 128,
    seed: int = 0,
) -> T5ForSentimentClassification:
    """Build the classifier on `backbone`, in float32, with a fresh gate and head.

    Args:
        backbone: see the module's docstring.
        vocab_size: ids that the tokenizer can give.
        pooling: "gate" or "mean".
        gate_reads: "encoder" or "embedding".
        gate_threshold: tokens whose gate is below it count for nothing at inference.
        dropout: probability of dropping a unit, in the encoder and before the head.
        max_input_tokens: longest input in tokens.
        seed: of the weights that start random; torch's own random state is left as it was.

    Raises:
        BackboneError: unknown name, no or broken weights, another vocabulary, hub out of reach.
    """
    settings: dict[str, Any] = {
        "pooling": pooling,
        "gate_reads": gate_reads,
        "gate_threshold": gate_threshold,
        "dropout_rate": dropout,
        "classifier_dropout": dropout,
        "max_input_tokens": max_input_tokens,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _build(backbone, vocab_size, settings)
    unused = model.config.vocab_size - vocab_size
    is_random = backbone.startswith("random:")
    if unused < 0 or (unused > MOST_UNUSED and not is_random):
        raise BackboneError(
            f"The backbone {backbone!r} embeds {model.config.vocab_size:,} tokens but the "
            f"tokenizer has {vocab_size:,}. Use the tokenizer that the backbone was trained with."
        )
    return model


def _build(
    backbone: str, vocab_size: int, settings: dict[str, Any]
) -> T5ForSentimentClassification:
    if backbone.startswith("random:"):
        sizes = {"vocab_size": vocab_size, **_random_sizes(backbone)}
        return T5ForSentimentClassification(T5SentimentConfig(**sizes, **settings))
    if _is_folder(backbone):
        folder = _weights_folder(backbone)
        return _from_pretrained(str(folder), None, settings)
    hub = HubName.parse(backbone)
    return _from_pretrained(hub.name, hub.revision, settings)


def _from_pretrained(
    name: str, revision: str | None, settings: dict[str, Any]
) -> T5ForSentimentClassification:
    try:
        with quiet_transformers():
            model: T5ForSentimentClassification = T5ForSentimentClassification.from_pretrained(
                name, revision=revision, use_safetensors=True, dtype=torch.float32, **settings
            )
    except OSError as error:
        raise BackboneError(
            f"The backbone {name!r} cannot be loaded ({_first_line(error)}). Check the name and "
            "the network, or pass a local folder that holds config.json and model.safetensors."
        ) from error
    except (ValueError, RuntimeError) as error:
        raise BackboneError(
            f"The weights of {name!r} do not fit a T5 encoder ({_first_line(error)}). "
            "Expected a checkpoint of T5, of its encoder, or of this project."
        ) from error
    return model


def backbone_id(backbone: str) -> str:
    """Say what `backbone` is, for a fingerprint: the same text means the same start weights.

    Random ones give the hash of their sizes, a folder the SHA-256 over config.json and weights,
    a hub name its name and commit (asked from the hub when it is not pinned).

    Raises:
        BackboneError: unknown name, no weights, hub out of reach.
    """
    if backbone.startswith("random:"):
        sizes = json.dumps(_random_sizes(backbone), sort_keys=True)
        return f"{backbone}:{hashlib.sha256(sizes.encode()).hexdigest()}"
    if _is_folder(backbone):
        folder = _weights_folder(backbone)
        digest = hashlib.sha256()
        for path in [folder / "config.json", *sorted(folder.glob("*.safetensors"))]:
            digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        return f"sha256:{digest.hexdigest()}"
    hub = HubName.parse(backbone)
    return f"{hub.name}@{_commit(hub)}"


def _commit(hub: HubName) -> str:
    if hub.revision and re.fullmatch("[0-9a-f]{40}", hub.revision):
        return hub.revision
    try:
        path = cached_file(hub.name, "config.json", revision=hub.revision)
    except OSError as error:
        raise BackboneError(
            f"The commit of {hub.name!r} cannot be found out ({_first_line(error)}). Check the "
            "name and the network, name a commit after '@', or pass a local folder."
        ) from error
    commit = extract_commit_hash(path, None)
    if commit is None:
        raise BackboneError(f"The hub's cache does not say the commit of {hub.name!r} ({path}).")
    return commit


def _random_sizes(backbone: str) -> dict[str, Any]:
    if backbone not in RANDOM:
        raise BackboneError(f"Unknown backbone {backbone!r}, expected one of {', '.join(RANDOM)}.")
    return RANDOM[backbone]


def _is_folder(backbone: str) -> bool:
    if Path(backbone).expanduser().is_dir():
        return True
    if HUB_NAME.fullmatch(backbone) and not backbone.startswith("."):
        return False
    raise BackboneError(
        f"No backbone folder at {backbone!r}. Pass a folder that holds config.json and "
        f"model.safetensors, a hub name such as 't5-small', or one of {', '.join(RANDOM)}."
    )


def _weights_folder(backbone: str) -> Path:
    folder = Path(backbone).expanduser()
    there = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    weights = sorted(folder.glob("*.safetensors"))
    for name in ("config.json", "*.safetensors"):
        if not any(folder.glob(name)):
            raise BackboneError(
                f"The backbone folder {str(folder)!r} has no {name}; it holds: {there}. Expected "
                "what save_pretrained() writes (pickled weights such as pytorch_model.bin are not "
                "read: load them where you trust them and save them again)."
            )
    for path in weights:
        _check_safetensors(path)
    return folder


def _check_safetensors(path: Path) -> None:
    """Compare the file's size with its header (8 bytes of length, JSON, tensors end to end).

    Source of the format: https://huggingface.co/docs/safetensors/index
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length < size else b""
    try:
        tensors = {key: value for key, value in json.loads(header).items() if key[:2] != "__"}
        expected = 8 + length + max(value["data_offsets"][1] for value in tensors.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackboneError(
            f"{path} ({size:,} bytes) has no readable safetensors header. Fetch the file again."
        ) from error
    if size != expected:
        raise BackboneError(
            f"{path} is truncated or corrupt: {size:,} bytes, its header says {expected:,}. "
            "Fetch the file again."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]
