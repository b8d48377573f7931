"""Training: it learns, repeats, resumes exactly, and stops when it should."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.backbone import load_model
from model.checkpoint import load_state
from model.data import Example
from model.evaluation import evaluate
from model.gradients import Objective
from model.modeling import T5ForSentimentClassification
from model.report import TrainingProgress, TrainingResult
from model.settings import TrainingSettings
from model.tokenizer import train_tokenizer
from model.training import TrainingError, TrainingInterrupted, train

GOOD = ("wonderful", "moving", "funny", "great")
BAD = ("boring", "dull", "clumsy", "awful")
EXAMPLES = [
    Example(f"{start} {noun} {verb} {word}", label)
    for label, words in ((1, GOOD), (0, BAD))
    for word in words
    for start in ("the", "this")
    for noun in ("film", "plot", "acting")
    for verb in ("is", "was")
]
# Wrong labels in validation: the better it learns, the worse it looks.
FLIPPED = [Example(example.sentence, 1 - example.label) for example in EXAMPLES[::3]]
SETTINGS = TrainingSettings(
    epochs=3,
    batch_size=16,
    learning_rate=1e-3,
    evaluations_per_epoch=2,
    reinforce=False,  # tests/model/test_reinforce.py has it
    precision="fp32",
    threads=1,
)
TOKENIZER = train_tokenizer([example.sentence for example in EXAMPLES], 120)
ROOT = Path(__file__).parents[2]


def ignore(_report: TrainingProgress) -> None:
    """Progress that is not watched."""


def start(settings: TrainingSettings) -> T5ForSentimentClassification:
    return load_model(
        "random:tiny",
        vocab_size=len(TOKENIZER),
        gate_reads=settings.gate_reads,
        dropout=settings.dropout,
        seed=settings.seed,
    )


def run(
    work_dir: Path, settings: TrainingSettings = SETTINGS, progress=ignore, **changes
) -> TrainingResult:
    arguments = {
        "model": start(settings),
        "tokenizer": TOKENIZER,
        "train_set": EXAMPLES,
        "validation_set": EXAMPLES[::3],
        "settings": settings,
        "work_dir": work_dir,
        "progress": progress,
        "fingerprint": "f",
    }
    return train(**(arguments | changes))


def weights(work_dir: Path) -> dict[str, torch.Tensor]:
    return load_file(work_dir / "best" / "model.safetensors")


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_learns_and_reports(tmp_path: Path):
    reports: list[TrainingProgress] = []
    result = run(tmp_path, progress=reports.append)
    assert result.best_accuracy == 1.0
    assert [item.step for item in result.history] == [3, 6, 9, 12, 15, 18]
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert (result.steps, result.precision, result.early_stopped) == (18, "fp32", False)
    assert result.peak_memory_bytes > 50e6
    assert (reports[-1].step, reports[-1].total_steps) == (18, 18)
    assert {path.name for path in tmp_path.iterdir()} == {"best", "resume.pt"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("reinforce", [False, True])
def test_training_repeats_bit_for_bit(tmp_path: Path, precision: str, reinforce: bool):
    settings = replace(SETTINGS, epochs=1, precision=precision, reinforce=reinforce)
    for name in ("one", "other"):
        run(tmp_path / name, settings)
    one, other = (tmp_path / name / "best" / "model.safetensors" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_seed_changes_the_weights(tmp_path: Path):
    run(tmp_path / "one", replace(SETTINGS, epochs=1))
    run(tmp_path / "other", replace(SETTINGS, epochs=1, seed=1))
    assert not torch.equal(
        weights(tmp_path / "one")["classifier.weight"],
        weights(tmp_path / "other")["classifier.weight"],
    )


def test_callers_torch_state_is_kept(tmp_path: Path):
    random_state, threads = torch.get_rng_state(), torch.get_num_threads()
    during: list[int] = []
    settings = replace(SETTINGS, max_steps=1, threads=3)
    run(tmp_path, settings, lambda _: during.append(torch.get_num_threads()))
    assert set(during) == {3}
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.get_num_threads() == threads


KILLED = """
import sys
from pathlib import Path
from dataclasses import replace
from tests.model.test_training import SETTINGS, run

def progress(report):
    print(report.step, flush=True)

run(Path(sys.argv[1]), replace(SETTINGS, checkpoint_seconds=0.0), progress)
"""


@pytest.mark.parametrize("kill_at", [2, 10])
def test_killed_run_resumes_exactly(tmp_path: Path, kill_at: int):
    run(tmp_path / "whole")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        for line in process.stdout:
            if int(line) >= kill_at:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "best").exists()
    result = run(tmp_path / "killed")
    assert kill_at - 1 <= result.resumed_from_step < 18
    assert result.steps == 18
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")


def test_finished_run_is_not_repeated(tmp_path: Path):
    first = run(tmp_path)
    again = run(tmp_path)
    assert again.resumed_from_step == again.steps == 18
    assert again.history == first.history


def test_lost_best_model_is_trained_again(tmp_path: Path):
    run(tmp_path / "whole")
    run(tmp_path / "lost")
    (tmp_path / "lost" / "best").rename(tmp_path / "elsewhere")
    assert run(tmp_path / "lost").resumed_from_step == 0
    assert_same_weights(tmp_path / "whole", tmp_path / "lost")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_half_a_best_model_is_trained_again(tmp_path: Path, name: str):
    run(tmp_path / "whole")
    run(tmp_path / "half")
    (tmp_path / "half" / "best" / name).unlink()
    assert run(tmp_path / "half").resumed_from_step == 0
    assert_same_weights(tmp_path / "whole", tmp_path / "half")


def test_other_fingerprint_starts_anew(tmp_path: Path):
    run(tmp_path, replace(SETTINGS, max_steps=4))
    assert run(tmp_path, fingerprint="other").resumed_from_step == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_stops(tmp_path: Path, number: signal.Signals):
    handler = signal.getsignal(number)

    def stop(report: TrainingProgress) -> None:
        if report.step == 9 and report.last_evaluation and report.last_evaluation.step == 9:
            os.kill(os.getpid(), number)

    with pytest.raises(TrainingInterrupted, match=rf"{number.name} after step 9 of 18.*again"):
        run(tmp_path / "stopped", progress=stop)
    assert signal.getsignal(number) is handler
    assert run(tmp_path / "stopped").resumed_from_step == 9
    run(tmp_path / "whole")
    assert_same_weights(tmp_path / "whole", tmp_path / "stopped")


def test_best_is_kept_not_last(tmp_path: Path):
    result = run(tmp_path, validation_set=FLIPPED)
    last = result.history[-1]
    assert result.best_step < last.step
    assert (result.best_accuracy, -result.best_loss) == max(
        (item.validation_accuracy, -item.validation_loss) for item in result.history
    )
    model = T5ForSentimentClassification.from_pretrained(tmp_path / "best")
    sequences = [TOKENIZER(example.sentence).input_ids for example in FLIPPED]
    accuracy, loss = evaluate(model, sequences, [example.label for example in FLIPPED])
    assert accuracy == result.best_accuracy
    assert loss == pytest.approx(result.best_loss, abs=1e-6)


def test_patience_stops_early(tmp_path: Path):
    settings = replace(SETTINGS, epochs=20, patience=2)
    result = run(tmp_path, settings, validation_set=FLIPPED)
    assert result.early_stopped
    assert len([item for item in result.history if item.step > result.best_step]) == 2


def test_non_finite_loss_names_step(tmp_path: Path):
    run_settings = replace(SETTINGS, checkpoint_seconds=0.0)
    model = load_model("random:tiny", vocab_size=len(TOKENIZER))
    calls = 0

    def poison(_module, _inputs, output):
        nonlocal calls
        calls += model.training
        if calls == 5:
            output.loss = output.loss * float("nan")
        return output

    model.register_forward_hook(poison)
    with pytest.raises(TrainingError, match=r"Step 5: loss nan"):
        train(
            model,
            TOKENIZER,
            train_set=EXAMPLES,
            validation_set=EXAMPLES[::3],
            settings=run_settings,
            work_dir=tmp_path,
            progress=ignore,
            fingerprint="f",
        )
    kept = load_state(tmp_path, "f")
    assert kept is not None
    assert kept.step == 4
    assert all(torch.isfinite(weight).all() for weight in kept.model.values())


def test_max_steps_limits_the_run(tmp_path: Path):
    result = run(tmp_path, replace(SETTINGS, max_steps=5))
    assert [item.step for item in result.history] == [3, 5]


def test_bf16_runs_and_saves_fp32(tmp_path: Path):
    result = run(tmp_path, replace(SETTINGS, max_steps=2, precision="bf16"))
    assert result.precision == "bf16"
    assert {weight.dtype for weight in weights(tmp_path).values()} == {torch.float32}


@pytest.mark.parametrize("reinforce", [False, True])
def test_label_smoothing_keeps_losses_from_zero(reinforce: bool):
    model = load_model("random:tiny", vocab_size=60, dropout=0.0)
    model.classifier.weight.data.zero_()
    model.classifier.bias.data = torch.tensor([-20.0, 20.0])
    batch = {
        "input_ids": torch.tensor([[5, 6, 1], [7, 8, 1]]),
        "attention_mask": torch.ones(2, 3, dtype=torch.int64),
        "labels": torch.tensor([1, 1]),
    }
    for smoothing, expected in ((0.0, 0.0), (0.1, 0.05 * 40)):
        settings = TrainingSettings(label_smoothing=smoothing, reinforce=reinforce)
        _, figures = Objective(model, settings)(batch)
        assert figures["loss"].item() == pytest.approx(expected, abs=1e-4)
