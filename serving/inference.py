"""The handler functions that SageMaker calls inside the container, and that `evaluate` calls too.

Request:   {"inputs": "one text"} or {"inputs": ["several", "texts"]}
Answer:    {"predictions": [{"label": "POSITIVE", "score": 0.98, "tokens": 3, "unknown_tokens": 0}],
            "model_version": "0123456789ab"}

`score` is the probability of `label`. `tokens` counts what the model has read of the text (a long
one is cut) without special tokens, and `unknown_tokens` those of them that the tokenizer does not
know. The four functions and their names are SageMaker's:
https://docs.aws.amazon.com/sagemaker/latest/dg/adapt-inference-container.html
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from model.modeling import T5ForSentimentClassification

JSON = "application/json"
BATCH_SIZE = 32  # texts that share one padded batch
MAX_TEXTS = 1000


class BadRequestError(ValueError):
    """The client's fault; the message says what came and what was expected."""


@dataclass(frozen=True)
class LoadedModel:
    """What `model_fn` loads once and `predict_fn` uses for each request."""

    classifier: T5ForSentimentClassification
    tokenizer: Tokenizer
    version: str


def model_fn(model_dir: str) -> LoadedModel:
    """Load `config.json`, `model.safetensors` and `tokenizer.json` from `model_dir`."""
    classifier = T5ForSentimentClassification.from_pretrained(
        model_dir, local_files_only=True, use_safetensors=True
    ).eval()
    tokenizer = Tokenizer.from_file(str(Path(model_dir) / "tokenizer.json"))
    tokenizer.enable_truncation(classifier.config.max_input_tokens)
    tokenizer.enable_padding(pad_id=classifier.config.pad_token_id, pad_token="<pad>")  # noqa: S106
    return LoadedModel(classifier, tokenizer, classifier.config.model_version)


def input_fn(body: str | bytes, content_type: str = JSON) -> list[str]:
    """Read the texts from a request body.

    Raises:
        BadRequestError: not JSON, or not of the shape that the module's docstring shows.
    """
    # The media type arrives raw, with its parameters: "application/json; charset=utf-8".
    if content_type.split(";", maxsplit=1)[0].strip().lower() != JSON:
        raise BadRequestError(f"Content type is {content_type!r}, expected {JSON!r}.")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"The body is not JSON: {error}.") from None
    inputs = request.get("inputs") if isinstance(request, dict) else None
    texts = [inputs] if isinstance(inputs, str) else inputs
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequestError('Expected {"inputs": "text"} or {"inputs": ["text", ...]}.')
    if not 0 < len(texts) <= MAX_TEXTS:
        raise BadRequestError(f"Got {len(texts)} texts, expected 1 to {MAX_TEXTS}.")
    for position, text in enumerate(texts):
        if not text.strip():
            raise BadRequestError(f"Text {position} is empty, expected at least one word.")
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise BadRequestError(f"Text {position} holds a lone surrogate, expected Unicode text.")
    return texts


@torch.inference_mode()
def predict_fn(texts: list[str], model: LoadedModel) -> dict[str, Any]:
    """Classify `texts`; the predictions come in the order of the texts."""
    predictions: list[dict[str, Any]] = [{}] * len(texts)
    unknown = model.tokenizer.token_to_id("<unk>")
    # Neighbours in length share a batch, so that little is spent on padding.
    by_length = sorted(range(len(texts)), key=lambda position: len(texts[position]))
    for start in range(0, len(texts), BATCH_SIZE):
        positions = by_length[start : start + BATCH_SIZE]
        encodings = model.tokenizer.encode_batch([texts[position] for position in positions])
        logits = model.classifier(
            input_ids=torch.tensor([encoding.ids for encoding in encodings]),
            attention_mask=torch.tensor([encoding.attention_mask for encoding in encodings]),
        ).logits
        scores, labels = logits.float().softmax(-1).max(-1)
        answers = zip(positions, scores.tolist(), labels.tolist(), encodings, strict=True)
        for position, score, label, encoding in answers:
            predictions[position] = {
                "label": model.classifier.config.id2label[label],
                "score": score,
                # The mask marks padding too.
                "tokens": encoding.special_tokens_mask.count(0),
                "unknown_tokens": encoding.ids.count(unknown),
            }
    return {"predictions": predictions, "model_version": model.version}


def output_fn(prediction: dict[str, Any], accept: str = JSON) -> str:
    """Write the answer; JSON is the only format, whatever else `accept` would prefer."""
    del accept
    return json.dumps(prediction)
