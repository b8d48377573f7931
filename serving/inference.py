"""The handler functions that SageMaker calls inside the container, and that `evaluate` calls too.

`payload` knows what a request and an answer look like, and a runtime how the model is computed:
`runtime_onnx` where the folder holds `model.onnx`, `runtime_pytorch` where it holds
`model.safetensors`. The four functions and their names are SageMaker's:
https://docs.aws.amazon.com/sagemaker/latest/dg/adapt-inference-container.html
"""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import payload
from payload import BadRequestError, Request
from tokenizers import Encoding, Tokenizer

__all__ = ["BadRequestError", "input_fn", "model_fn", "output_fn", "predict_fn"]

RUNTIMES = {"model.onnx": "runtime_onnx", "model.safetensors": "runtime_pytorch"}
# How what `torch.save` and `pickle.dump` write begins: it runs code when it is read.
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
MARK = "▁"  # the tokenizer's sign for the start of a word


class ModelFileError(RuntimeError):
    """The folder holds no model that can be served; the message says which file and why."""


class Runtime(Protocol):
    """What computes the model; `batch_size` texts share one padded batch."""

    batch_size: int

    def run(self, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give logits (B, C) and gate scores (B, T) for token ids and their mask, both (B, T)."""


@dataclass(frozen=True)
class LoadedModel:
    """What `model_fn` loads once and `predict_fn` uses for each request."""

    runtime: Runtime
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    version: str
    temperature: float  # of the logits, fitted in training: a score says how often it is right


def model_fn(model_dir: str) -> LoadedModel:
    """Load `config.json`, `tokenizer.json` and the weights from `model_dir`.

    Raises:
        ModelFileError: one of them is missing, cut short, or not what its name says.
    """
    folder = Path(model_dir)
    try:
        config = json.loads((folder / "config.json").read_bytes())
        labels = tuple(config["id2label"][number] for number in sorted(config["id2label"]))
        longest, pad_id = config["max_input_tokens"], config["pad_token_id"]
        version = config["model_version"]
        temperature = float(config.get("temperature", 1.0))  # older models have none
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{folder / 'config.json'} is not the configuration that export writes ({error!r})."
        ) from error
    tokenizer = _read_tokenizer(folder / "tokenizer.json")
    tokenizer.enable_truncation(longest)
    tokenizer.enable_padding(pad_id=pad_id, pad_token="<pad>")  # noqa: S106
    return LoadedModel(_load_runtime(folder), tokenizer, labels, version, temperature)


def _read_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # `tokenizers` raises no narrower one
        raise ModelFileError(f"{path} is no readable tokenizer ({error}).") from error


def _load_runtime(folder: Path) -> Runtime:
    found = [name for name in RUNTIMES if (folder / name).is_file()]
    if len(found) != 1:
        held = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise ModelFileError(f"{folder} holds {held}; expected one of {', '.join(RUNTIMES)}.")
    path = folder / found[0]
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(PICKLES):
        raise ModelFileError(
            f"{path} is a pickle (or a zip of them) under another name. It could run any code and "
            "is never read: package the model again, and ask who wrote this file."
        )
    # Only the runtime that the folder needs is installed where it serves.
    module = importlib.import_module(RUNTIMES[path.name])
    try:
        runtime: Runtime = module.load(folder)
    except Exception as error:  # each runtime has a dozen of its own
        raise ModelFileError(
            f"{path} ({path.stat().st_size:,} bytes) is no readable model; it may be cut short or "
            f"corrupt. Package the model again. {type(error).__name__}: {error}"
        ) from error
    return runtime


def input_fn(body: str | bytes, content_type: str = payload.JSON) -> Request:
    """Read a request's body; `payload` says what it may hold, and refuses what it may not."""
    return payload.read(body, content_type)


def predict_fn(request: Request, model: LoadedModel) -> dict[str, Any]:
    """Classify the texts of `request`; the predictions come in their order.

    Raises:
        FloatingPointError: the model computed a score that is no number.
    """
    texts, size = request.texts, model.runtime.batch_size
    predictions: list[dict[str, Any]] = [{}] * len(texts)
    unknown = model.tokenizer.token_to_id("<unk>")
    # Neighbours in length share a batch, so that little is spent on padding.
    by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(texts), size):
        places = by_length[start : start + size]
        encodings = model.tokenizer.encode_batch([texts[place] for place in places])
        logits, gates = model.runtime.run(
            np.array([encoding.ids for encoding in encodings], dtype=np.int64),
            np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64),
        )
        scores = _softmax(logits / model.temperature)
        if np.isnan(scores).any():
            raise FloatingPointError("A score is no number: the weights or the export are broken.")
        for row, (place, encoding) in enumerate(zip(places, encodings, strict=True)):
            label = int(scores[row].argmax())
            predictions[place] = {
                "label": model.labels[label],
                "score": float(scores[row, label]),
                # The mask marks padding too.
                "tokens": encoding.special_tokens_mask.count(0),
                "unknown_tokens": encoding.ids.count(unknown),
            }
            if request.explain:
                predictions[place]["explanation"] = _explain(texts[place], encoding, gates[row])
    return request.answer(predictions, model.version)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (B, C)
    shares: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _explain(text: str, encoding: Encoding, gates: np.ndarray) -> list[dict[str, Any]]:
    """Each token of `text` with its place there and its gate; offsets count characters."""
    explanation = []
    tokens = zip(
        encoding.tokens, encoding.offsets, encoding.special_tokens_mask, gates, strict=True
    )
    for token, (start, end), is_special, gate in tokens:
        # A mark of its own, before what no piece begins, has no character of its own either.
        if is_special or token == MARK:
            continue
        # A piece may begin with the space before its word.
        while start < end and text[start].isspace():
            start += 1  # noqa: PLW2901
        explanation.append(
            {"text": text[start:end], "start": start, "end": end, "gate": float(gate)}
        )
    return explanation


def output_fn(answer: dict[str, Any], accept: str = payload.JSON) -> str:
    """Write the answer in the format that `accept` likes best."""
    return payload.write(answer, payload.answer_format(accept, payload.JSON))
