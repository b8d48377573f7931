"""What can go wrong in training: each is told, with the way out, and nothing is lost."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from model import reinforce, training
from model.backbone import load_model
from model.batching import encode, pad_batch
from model.checkpoint import CheckpointError, load_state, save_state
from model.gradients import Gradients, Objective
from model.modeling import T5ForSentimentClassification
from model.report import TrainingProgress
from model.training import TrainingError
from model.workers import Workers
from tests.model.test_training import EXAMPLES, SETTINGS, TOKENIZER, assert_same_weights, run

OF_GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
OF_CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried "
    "to allocate 400000000000 bytes. Error code 12 (Cannot allocate memory)"
)
WITH_REINFORCE = replace(SETTINGS, reinforce=True)
NEGATIVE = [example for example in EXAMPLES if example.label == 0]


@pytest.mark.parametrize("name", ["train", "validation"])
def test_empty_set_is_refused(tmp_path: Path, name: str):
    with pytest.raises(TrainingError, match=f"The {name} set holds no sentence, expected both"):
        run(tmp_path, **{f"{name}_set": []})


@pytest.mark.parametrize("name", ["train", "validation"])
def test_set_without_a_class_is_refused(tmp_path: Path, name: str):
    expected = f"The {name} set holds NEGATIVE, expected both NEGATIVE and POSITIVE"
    with pytest.raises(TrainingError, match=expected):
        run(tmp_path, **{f"{name}_set": NEGATIVE})


def test_cut_sentences_are_counted(tmp_path: Path):
    long = [replace(example, sentence=example.sentence * 9) for example in EXAMPLES[:5]]
    settings = replace(SETTINGS, max_steps=1, max_input_tokens=40)
    assert run(tmp_path / "short", settings).cut_sentences == 0
    assert run(tmp_path / "long", settings, train_set=[*EXAMPLES, *long]).cut_sentences == 5


def test_non_finite_loss_with_reinforce_names_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # GIVEN a loss that is no number at the fifth step, and is looked at after the sixth
    calls, forward = 0, Objective.forward

    def poison(self, batch):
        nonlocal calls
        calls += 1
        loss, figures = forward(self, batch)
        return (loss * float("nan") if calls == 5 else loss), figures

    monkeypatch.setattr(Objective, "forward", poison)
    monkeypatch.setattr(training, "REPORT_SECONDS", 60)
    # THEN the sixth, whose gate is no number any more, is no other error
    with pytest.raises(TrainingError, match=r"Step 5: .*gradient norm nan"):
        run(tmp_path, WITH_REINFORCE)
    assert calls == 6
    assert load_state(tmp_path, "f").step == 3


def fail_above(monkeypatch: pytest.MonkeyPatch, sentences: int, error: Exception) -> list[int]:
    """Let batches of more sentences than that run out of memory; gives the sizes tried."""
    tried, add = [], Gradients._add

    def limited(self, batch, weight, is_last):
        tried.append(len(batch["labels"]))
        if tried[-1] > sentences:
            raise error
        return add(self, batch, weight, is_last)

    monkeypatch.setattr(Gradients, "_add", limited)
    return tried


@pytest.mark.parametrize("error", [OF_GPU, OF_CPU, MemoryError()], ids=["gpu", "cpu", "python"])
def test_out_of_memory_names_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    fail_above(monkeypatch, 8, error)
    with pytest.raises(TrainingError, match=r"Step 1: out of memory.*16 .*Set batch_parts to 2"):
        run(tmp_path)


def test_out_of_memory_goes_on_in_parts_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # GIVEN memory for five sentences, and batches of 16 that may be divided
    tried = fail_above(monkeypatch, 5, OF_GPU)
    settings = replace(SETTINGS, shrink_on_oom=True)
    # WHEN it trains
    result = run(tmp_path / "shrunk", settings)
    # THEN it halves the parts until they fit, and takes the very steps of parts set by hand
    assert tried[:7] == [16, 8, 4, 4, 4, 4, 4]
    assert result.batch_parts == 4
    assert "out of memory at step 1: 4 parts a batch now" in capsys.readouterr().out
    run(tmp_path / "set", replace(SETTINGS, batch_parts=4))
    assert_same_weights(tmp_path / "shrunk", tmp_path / "set")


def test_more_parts_go_on_where_memory_ran_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # GIVEN a run that is out of memory after its first evaluation, at step 3
    def fill(report: TrainingProgress) -> None:
        if report.last_evaluation:
            fail_above(monkeypatch, 8, OF_GPU)

    with pytest.raises(TrainingError, match=r"Step 4: out of memory.*goes on from what was saved"):
        run(tmp_path, progress=fill)
    # WHEN it is run as the message says, THEN it goes on from there with as many parts
    result = run(tmp_path, replace(SETTINGS, max_steps=5, batch_parts=2))
    assert (result.resumed_from_step, result.steps, result.batch_parts) == (3, 5, 2)


@pytest.mark.parametrize(("shrinks", "parts"), [(True, 4), (False, 1)])
def test_parts_found_out_stay_where_told_to_shrink(tmp_path: Path, shrinks: bool, parts: int):
    # GIVEN a state that was saved with four parts, before the run ended in its second step
    def end(report: TrainingProgress) -> None:
        if report.step == 2:
            raise KeyboardInterrupt

    settings = replace(SETTINGS, max_steps=3, checkpoint_seconds=0.0, shrink_on_oom=shrinks)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, settings, end)
    saved = load_state(tmp_path, "f")
    assert saved is not None
    save_state(replace(saved, parts=4), tmp_path)
    # THEN the run that goes on keeps to them only where it may divide by itself
    result = run(tmp_path, settings)
    assert (result.resumed_from_step, result.batch_parts) == (1, parts)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(T5ForSentimentClassification, "to"), (torch.optim.AdamW, "step"), (training, "evaluate")],
)
def test_out_of_memory_elsewhere_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
):
    def no_room(*_: object, **__: object) -> None:
        raise OF_GPU

    monkeypatch.setattr(owner, name, no_room)
    with pytest.raises(TrainingError, match=r"Out of memory.*2\.00 GiB.*smaller backbone"):
        run(tmp_path)


def test_out_of_memory_in_rewards_leaves_dropout_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # GIVEN memory for 20 texts: enough for a batch of 16, not for its 4 choices each
    remove = reinforce.remove_dropped

    def limited(ids, mask, keep):
        if len(ids) > 20:
            raise OF_GPU
        return remove(ids, mask, keep)

    settings = replace(WITH_REINFORCE, epochs=1)
    with monkeypatch.context() as short:
        short.setattr(reinforce, "remove_dropped", limited)
        shrunk = run(tmp_path / "shrunk", replace(settings, shrink_on_oom=True))
    # THEN the step that is taken again is that of parts set by hand
    assert shrunk.batch_parts == 4
    run(tmp_path / "set", replace(settings, batch_parts=4))
    assert_same_weights(tmp_path / "shrunk", tmp_path / "set")


def test_sentence_too_large_for_memory_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fail_above(monkeypatch, 0, OF_GPU)
    with pytest.raises(TrainingError, match=r"with 16 sentences in 16 part\(s\)"):
        run(tmp_path, replace(SETTINGS, shrink_on_oom=True))


def test_other_error_is_not_taken_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fail_above(monkeypatch, 0, RuntimeError("shape mismatch"))
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(tmp_path, replace(SETTINGS, shrink_on_oom=True))


@pytest.mark.parametrize("parts", [2, 3, 16])
def test_parts_give_the_gradients_of_the_whole(parts: int):
    found = []
    for count in (1, parts):
        model = load_model("random:tiny", vocab_size=len(TOKENIZER), dropout=0.0)
        settings = replace(SETTINGS, batch_parts=count)
        gradients = Gradients(model, settings, Workers(), is_bf16=False)
        figures = gradients.compute(0, range(0, len(EXAMPLES), 6), batch_of)
        found.append([figures["loss"], *(weight.grad for weight in model.parameters())])
    assert len(found[0]) > 20
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-4)


def batch_of(numbers: list[int]) -> dict[str, torch.Tensor]:
    examples = [EXAMPLES[number] for number in numbers]
    sequences = encode(TOKENIZER, [example.sentence for example in examples], 40)
    return pad_batch(sequences, [example.label for example in examples])


@pytest.mark.parametrize("what", ["resume file", "best model"])
def test_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
):
    # GIVEN a disk that is full when the third evaluation, at step 9, is saved
    run(tmp_path / "whole")
    owner, name = (torch, "save") if what == "resume file" else (PreTrainedModel, "save_pretrained")
    writes, write = 0, getattr(owner, name)

    def fill(*arguments, **keywords):
        nonlocal writes
        writes += 1
        if writes == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(*arguments, **keywords)

    monkeypatch.setattr(owner, name, fill)
    # WHEN it trains, THEN the error says so, and what was saved before is whole
    with pytest.raises(CheckpointError, match=r"cannot be written \(\[Errno 28\] No space left.*"):
        run(tmp_path / "full")
    kept = load_state(tmp_path / "full", "f")
    assert kept is not None
    assert kept.step == 6
    # AND the same call goes on from there to the same model
    assert run(tmp_path / "full").resumed_from_step == 6
    assert_same_weights(tmp_path / "whole", tmp_path / "full")
