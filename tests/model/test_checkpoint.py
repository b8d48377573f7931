"""Files of a run: whole, or not there, or named as broken."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from model.backbone import load_model
from model.checkpoint import (
    MODEL_FILES,
    CheckpointError,
    RunState,
    best_folder,
    drop_models_but,
    load_state,
    place_best,
    save_model,
    save_state,
)
from model.tokenizer import train_tokenizer


def make_state() -> RunState:
    """Give a state from before the first evaluation."""
    return RunState(
        fingerprint="abc",
        step=7,
        model={"weight": torch.randn(3, 4)},
        optimizer={"state": {0: {"step": torch.tensor(7.0)}}, "param_groups": [{"lr": 1e-3}]},
        sums={"loss": 1.5, "steps": 3},
        history=[{"step": 4, "validation_accuracy": 0.5}],
    )


def test_state_comes_back_equal(tmp_path: Path):
    state = make_state()
    save_state(state, tmp_path)
    again = load_state(tmp_path, "abc")
    assert again is not None
    assert torch.equal(again.model.pop("weight"), state.model.pop("weight"))
    assert [getattr(again, item.name) for item in fields(again)] == [
        getattr(state, item.name) for item in fields(state)
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["resume.pt"]


def test_other_fingerprint_is_not_resumed(tmp_path: Path):
    save_state(make_state(), tmp_path)
    assert load_state(tmp_path, "xyz") is None


def test_state_without_its_best_model_is_not_resumed(tmp_path: Path):
    state = make_state()
    state.best_step = 4
    save_state(state, tmp_path)
    assert load_state(tmp_path, "abc") is None
    best_folder(4, tmp_path).mkdir()
    for name in MODEL_FILES:
        assert load_state(tmp_path, "abc") is None, f"half a model is none: {name} is missing"
        (best_folder(4, tmp_path) / name).touch()
    assert load_state(tmp_path, "abc") is not None


def test_no_file_means_no_state(tmp_path: Path):
    assert load_state(tmp_path, "abc") is None


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_truncated_file_is_named(tmp_path: Path, kept: float):
    save_state(make_state(), tmp_path)
    path = tmp_path / "resume.pt"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(CheckpointError, match=r"resume\.pt .*truncated.*Delete it"):
        load_state(tmp_path, "abc")


class Rogue:
    """Something that a pickle could run; only tensors and plain values may come back."""


@pytest.mark.parametrize("content", [{"format": 1}, {"format": 9}, [1], Rogue()])
def test_foreign_content_is_refused(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "resume.pt")
    with pytest.raises(CheckpointError, match="cannot be resumed from"):
        load_state(tmp_path, "abc")


def test_failed_write_keeps_old_file(tmp_path: Path):
    save_state(make_state(), tmp_path)
    broken = make_state()
    broken.model = {"weight": lambda: None}  # type: ignore[dict-item]
    with pytest.raises(Exception, match="pickle"):
        save_state(broken, tmp_path)
    again = load_state(tmp_path, "abc")
    assert again is not None
    assert again.step == 7
    assert [path.name for path in tmp_path.iterdir()] == ["resume.pt"]


def test_best_model_takes_its_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    tokenizer = train_tokenizer(["a good film"], 90)
    model = load_model("random:tiny", vocab_size=len(tokenizer))
    for step in (3, 8):
        save_model(model, tokenizer, best_folder(step, tmp_path))
    drop_models_but(8, tmp_path)
    for _ in range(2):
        place_best(8, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    names = {path.name for path in (tmp_path / "best").iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert capfd.readouterr().err == ""
