"""The handler functions: what they take, what they answer, and that batches change nothing."""

import json
import math
import pickle
import shutil
from pathlib import Path
from typing import Any

import inference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payload import FORMATS, JSON_LINES, Request
from safetensors.torch import load_file, save_file

TEXTS = ["fine", "a film that goes on and on , and then goes on some more", "not good", "fine"]


@pytest.fixture(scope="module", params=["onnx", "pytorch"])
def model(candidates: dict[str, Path], request: pytest.FixtureRequest) -> inference.LoadedModel:
    return inference.model_fn(str(candidates[request.param]))


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
    assert prediction["tokens"] == 127  # the limit is 128, and the last of them ends the text


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


def explained(model: inference.LoadedModel, *texts: str) -> list[list[dict[str, Any]]]:
    answer = inference.predict_fn(Request(list(texts), explain=True), model)
    return [prediction["explanation"] for prediction in answer["predictions"]]


def test_explanation_is_of_words_in_their_places(model: inference.LoadedModel) -> None:
    # Characters are counted, not bytes; padding and the end of the text are left out.
    longer = "and this one is so much longer that the other is padded"
    first, second = explained(model, "☃ a  fine film", longer)
    assert "".join(token["text"] for token in first) == "☃afinefilm"
    assert first[-1]["end"] == 14
    assert "".join(token["text"] for token in second) == longer.replace(" ", "")
    assert all(0 <= token["gate"] <= 1 for token in first + second)


def test_explanation_is_left_out_unless_asked_for(model: inference.LoadedModel) -> None:
    (prediction,) = inference.predict_fn(Request(["fine"]), model)["predictions"]
    assert "explanation" not in prediction


@settings(deadline=None, max_examples=50)
@given(text=st.text(min_size=1).filter(str.strip))
def test_any_explanation_stays_inside_its_text(model: inference.LoadedModel, text: str) -> None:
    (explanation,) = explained(model, text)
    for token in explanation:
        assert 0 <= token["start"] <= token["end"] <= len(text)
        assert text[token["start"] : token["end"]] == token["text"]


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("model.onnx", None, r"expected one of model\.onnx, model\.safetensors"),
        ("model.onnx", b"", r"\(0 bytes\) is no readable model"),
        ("model.onnx", b"\x08\x07 and no more", r"is no readable model.*cut short or corrupt"),
        ("model.onnx", pickle.dumps({"weights": [1.0]}), "is a pickle"),
        ("model.onnx", b"PK\x03\x04 as torch.save writes", "is a pickle"),
        ("model.safetensors", None, r"expected one of model\.onnx, model\.safetensors"),
        ("model.safetensors", b"", r"\(0 bytes\) is no readable model"),
        (
            "model.safetensors",
            b"\x08\x00\x00\x00\x00\x00\x00\x00{",
            r"is no readable model.*cut short",
        ),
        ("model.safetensors", pickle.dumps({"weights": [1.0]}), "is a pickle"),
        ("model.safetensors", b"PK\x03\x04 as torch.save writes", "is a pickle"),
        ("tokenizer.json", b"{", "is no readable tokenizer"),
        ("tokenizer.json", None, "is no readable tokenizer"),
        ("config.json", b"{}", r"is not the configuration .*id2label"),
        ("config.json", None, "is not the configuration"),
    ],
)
def test_damaged_file_refuses_to_load(
    candidates: dict[str, Path], tmp_path: Path, name: str, damage: bytes | None, reason: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(candidates["pytorch" if name == "model.safetensors" else "onnx"], folder)
    path = folder / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    with pytest.raises(inference.ModelFileError, match=reason):
        inference.model_fn(str(folder))


def test_weights_that_lack_a_layer_refuse_to_load(
    candidates: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(candidates["pytorch"], folder)
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(inference.ModelFileError, match="is no readable model"):
        inference.model_fn(str(folder))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_weights_that_were_cut_refuse_to_load(
    candidates: dict[str, Path], tmp_path: Path, kept: float
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(candidates["pytorch"], folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(inference.ModelFileError, match="is no readable model"):
        inference.model_fn(str(folder))


@pytest.mark.parametrize("media_type", FORMATS)
def test_score_that_is_no_number_is_never_answered(
    candidates: dict[str, Path], tmp_path: Path, media_type: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(candidates["pytorch"], folder)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    broken = inference.model_fn(str(folder))
    with pytest.raises(FloatingPointError, match="no number"):
        inference.output_fn(inference.predict_fn(Request(TEXTS), broken), media_type)


@pytest.mark.parametrize("runtime", ["onnx", "pytorch"])
def test_temperature_divides_the_logits(
    candidates: dict[str, Path], tmp_path: Path, runtime: str
) -> None:
    folders = {}
    for temperature in (1.0, 3.0):
        folder = folders[temperature] = tmp_path / str(temperature)
        shutil.copytree(candidates[runtime], folder)
        config = json.loads((folder / "config.json").read_bytes())
        (folder / "config.json").write_text(json.dumps(config | {"temperature": temperature}))
    plain, cooled = (
        inference.predict_fn(Request(TEXTS), inference.model_fn(str(folder)))["predictions"]
        for folder in folders.values()
    )
    for one, other in zip(plain, cooled, strict=True):
        assert one["label"] == other["label"]
        logit = math.log(one["score"] / (1 - one["score"]))
        assert other["score"] == pytest.approx(1 / (1 + math.exp(-logit / 3)), abs=1e-5)


@pytest.mark.parametrize("temperature", [0, -1, "warm", None])
def test_bad_temperature_is_refused(
    candidates: dict[str, Path], tmp_path: Path, temperature: Any
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(candidates["onnx"], folder)
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | {"temperature": temperature}))
    with pytest.raises(inference.ModelFileError, match=r"config\.json is not the configuration"):
        inference.model_fn(str(folder))
