"""The handler functions: what they take, what they answer, and that batches change nothing."""

import json
from typing import Any

import inference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_steps.settings import Settings

TEXTS = ["fine", "a film that goes on and on , and then goes on some more", "not good", "fine"]


@pytest.fixture(scope="module")
def model(packaged_once: Any) -> inference.LoadedModel:
    return inference.model_fn(str(packaged_once / "demo" / "candidate"))


def test_answer_is_label_score_and_version(model: inference.LoadedModel) -> None:
    answer = json.loads(inference.output_fn(inference.predict_fn(["fine"], model)))
    (prediction,) = answer["predictions"]
    assert prediction["label"] in ("NEGATIVE", "POSITIVE")
    assert 0.5 <= prediction["score"] <= 1
    assert answer["model_version"] == model.version
    assert len(model.version) == 12


def test_batches_answer_as_single_texts(model: inference.LoadedModel) -> None:
    texts = TEXTS * 20
    together = inference.predict_fn(texts, model)["predictions"]
    for text, got in zip(TEXTS, together, strict=False):
        (want,) = inference.predict_fn([text], model)["predictions"]
        assert got["label"] == want["label"]
        assert got["score"] == pytest.approx(want["score"], abs=1e-5)
    assert together[0] == together[3]


def test_tokens_are_counted_without_special_ones(model: inference.LoadedModel) -> None:
    texts = ["good", "good ☃ film 日本", "a film that goes on and on and on"]
    known, strange, longer = inference.predict_fn(texts, model)["predictions"]
    # One token and the end-of-text; that it is padded to the longest text does not count.
    assert (known["tokens"], known["unknown_tokens"]) == (1, 0)
    assert longer["tokens"] > 1
    assert longer["unknown_tokens"] == 0
    assert strange["unknown_tokens"] == 2
    assert strange["tokens"] > strange["unknown_tokens"]


def test_long_text_is_cut_not_refused(model: inference.LoadedModel) -> None:
    (prediction,) = inference.predict_fn(["word " * 100_000], model)["predictions"]
    assert prediction["score"] > 0
    assert prediction["tokens"] == model.classifier.config.max_input_tokens - 1


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_one_text_or_a_list_is_read(content_type: str) -> None:
    assert inference.input_fn('{"inputs": "fine"}', content_type) == ["fine"]
    assert inference.input_fn(b'{"inputs": ["a", "b"]}', content_type) == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        ("[]", "Expected"),
        ('{"inputs": 3}', "Expected"),
        ('{"inputs": ["a", 3]}', "Expected"),
        ('{"inputs": []}', "Got 0 texts"),
        ('{"inputs": ["a", " "]}', "Text 1 is empty"),
        ('{"inputs": "\\ud800"}', "lone surrogate"),
        (json.dumps({"inputs": ["a"] * 1001}), "Got 1001 texts"),
    ],
)
def test_bad_body_is_told(body: str | bytes, message: str) -> None:
    with pytest.raises(inference.BadRequestError, match=message):
        inference.input_fn(body, "application/json")


def test_other_content_type_is_told() -> None:
    with pytest.raises(inference.BadRequestError, match="'text/csv', expected 'application/json'"):
        inference.input_fn('{"inputs": "fine"}', "text/csv")


@settings(deadline=None, max_examples=50)
@given(text=st.text(min_size=1).filter(str.strip))
def test_any_unicode_text_is_answered(model: inference.LoadedModel, text: str) -> None:
    texts = inference.input_fn(json.dumps({"inputs": text}), "application/json")
    assert 0.5 <= inference.predict_fn(texts, model)["predictions"][0]["score"] <= 1


def test_missing_weights_refuse_to_load(packaged: Settings) -> None:
    candidate = packaged.work_dir / "candidate"
    (candidate / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        inference.model_fn(str(candidate))
