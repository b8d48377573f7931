"""The handler functions that SageMaker calls inside the container, and that `evaluate` calls too.

`payload` knows what a request and an answer look like. The four functions and their names are
SageMaker's: https://docs.aws.amazon.com/sagemaker/latest/dg/adapt-inference-container.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import payload
import torch
from payload import BadRequestError, Request
from tokenizers import Tokenizer

from model.modeling import T5ForSentimentClassification

__all__ = ["BadRequestError", "input_fn", "model_fn", "output_fn", "predict_fn"]

BATCH_SIZE = 32  # texts that share one padded batch


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


def input_fn(body: str | bytes, content_type: str = payload.JSON) -> Request:
    """Read a request's body; `payload` says what it may hold, and refuses what it may not."""
    return payload.read(body, content_type)


@torch.inference_mode()
def predict_fn(request: Request, model: LoadedModel) -> dict[str, Any]:
    """Classify the texts of `request`; the predictions come in their order."""
    texts = request.texts
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
    return request.answer(predictions, model.version)


def output_fn(answer: dict[str, Any], accept: str = payload.JSON) -> str:
    """Write the answer in the format that `accept` likes best."""
    return payload.write(answer, payload.answer_format(accept, payload.JSON))
