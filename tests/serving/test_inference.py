"""The handler functions: what they take, what they answer, and that batches change nothing."""

import json
from typing import Any

import inference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payload import JSON_LINES, Request

from pipeline_steps.settings import Settings

TEXTS = ["fine", "a film that goes on and on , and then goes on some more", "not good", "fine"]


@pytest.fixture(scope="module")
def model(packaged_once: Any) -> inference.LoadedModel:
    return inference.model_fn(str(packaged_once / "demo" / "candidate"))


def test_answer_is_label_score_and_version(model: inference.LoadedModel) -> None:
    answer = json.loads(inference.output_fn(inference.predict_fn(Request(["fine"]), model)))
    (prediction,) = answer["predictions"]
    assert prediction["label"] in ("NEGATIVE", "POSITIVE")
    assert 0.5 <= prediction["score"] <= 1
    assert answer["model_version"] == model.version
    assert len(model.version) == 12


def test_batches_answer_as_single_texts(model: inference.LoadedModel) -> None:
    texts = TEXTS * 20
    together = inference.predict_fn(Request(texts), model)["predictions"]
    for text, got in zip(TEXTS, together, strict=False):
        (want,) = inference.predict_fn(Request([text]), model)["predictions"]
        assert got["label"] == want["label"]
        assert got["score"] == pytest.approx(want["score"], abs=1e-5)
    assert together[0] == together[3]


def test_tokens_are_counted_without_special_ones(model: inference.LoadedModel) -> None:
    texts = ["good", "good ☃ film 日本", "a film that goes on and on and on"]
    known, strange, longer = inference.predict_fn(Request(texts), model)["predictions"]
    # One token and the end-of-text; that it is padded to the longest text does not count.
    assert (known["tokens"], known["unknown_tokens"]) == (1, 0)
    assert longer["tokens"] > 1
    assert longer["unknown_tokens"] == 0
    assert strange["unknown_tokens"] == 2
    assert strange["tokens"] > strange["unknown_tokens"]


def test_long_text_is_cut_not_refused(model: inference.LoadedModel) -> None:
    (prediction,) = inference.predict_fn(Request(["word " * 100_000]), model)["predictions"]
    assert prediction["score"] > 0
    assert prediction["tokens"] == model.classifier.config.max_input_tokens - 1


@settings(deadline=None, max_examples=50)
@given(text=st.text(min_size=1).filter(str.strip))
def test_any_unicode_text_is_answered(model: inference.LoadedModel, text: str) -> None:
    request = inference.input_fn(json.dumps({"inputs": text}), "application/json")
    assert 0.5 <= inference.predict_fn(request, model)["predictions"][0]["score"] <= 1


def test_faulty_line_is_answered_in_its_place(model: inference.LoadedModel) -> None:
    request = inference.input_fn(b'{"inputs": "fine"}\n{"inputs": 3}\n"dull"\n', JSON_LINES)
    answer = inference.output_fn(inference.predict_fn(request, model), JSON_LINES)
    first, second, third = (json.loads(line) for line in answer.splitlines())
    assert "label" in first
    assert "is no text" in second["error"]
    assert "label" in third


def test_missing_weights_refuse_to_load(packaged: Settings) -> None:
    candidate = packaged.work_dir / "candidate"
    (candidate / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        inference.model_fn(str(candidate))
