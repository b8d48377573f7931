"""Train or reuse: the same inputs give the same model and are trained once."""

import dataclasses
import errno
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from local_aws.server import LocalAws
from model import held_out
from model.data import read_splits
from model.gradients import Objective
from pipeline_steps import check_data, train, training_entry
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, DataCheckError, TrainingFailedError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.files import file_hash
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.settings import Settings

WEIGHTS = "model.safetensors"


def changed(settings: Settings, **training: object) -> Settings:
    return dataclasses.replace(
        settings, training=dataclasses.replace(settings.training, **training)
    )


def flags_of(settings: Settings) -> list[str]:
    training = settings.training
    return [
        "--profile", "demo", "--build-dir", str(settings.build_dir), "--vocab-size", "600",
        "--epochs", str(training.epochs), "--max-steps", str(training.max_steps),
        "--evaluations-per-epoch", str(training.evaluations_per_epoch), "--min-accuracy", "0",
    ]  # fmt: skip


def test_report_tells_what_made_the_model(packaged: Settings) -> None:
    report = TrainingReport.load(packaged.work_dir / "checkpoint")
    assert report.model_version == report.fingerprint[:12]
    assert report.inputs["backbone"].startswith("random:tiny")
    assert report.inputs["training"]["max_steps"] == 25
    assert "modeling.py" in report.inputs["model_sources"]
    assert report.result["steps"] == 25
    assert report.result["history"][-1]["validation_accuracy"] == report.result["best_accuracy"]
    assert report.package_versions["torch"].startswith("2.13.0")
    config = json.loads((packaged.work_dir / "checkpoint" / "config.json").read_bytes())
    assert config["model_version"] == report.model_version


def test_same_inputs_are_reused(packaged: Settings) -> None:
    before = file_hash(packaged.work_dir / "checkpoint" / WEIGHTS)
    assert train.run(packaged, Clients()).status == "reused"
    assert file_hash(packaged.work_dir / "checkpoint" / WEIGHTS) == before


def test_reinforce_shows_in_history_and_configuration(packaged: Settings) -> None:
    assert train.run(changed(packaged, reinforce=True, max_steps=2), Clients()).status == "done"
    checkpoint = packaged.work_dir / "checkpoint"
    record = TrainingReport.load(checkpoint).result["history"][-1]
    assert record["reward"] < 0
    assert 0 < record["kept_share"] < 1
    assert record["entropy"] > 0
    assert json.loads((checkpoint / "config.json").read_bytes())["gate_reads"] == "embedding"


def test_other_settings_train_another_model(packaged: Settings) -> None:
    before = TrainingReport.load(packaged.work_dir / "checkpoint")
    assert train.run(changed(packaged, max_steps=2), Clients()).status == "done"
    after = TrainingReport.load(packaged.work_dir / "checkpoint")
    assert after.model_version != before.model_version
    assert after.files[WEIGHTS] != before.files[WEIGHTS]


@pytest.mark.parametrize(
    "how", [{"checkpoint_seconds": 1.0}, {"batch_parts": 2}, {"shrink_on_oom": True}]
)
def test_how_it_is_computed_is_no_other_model(packaged: Settings, how: dict[str, object]) -> None:
    assert train.run(changed(packaged, **how), Clients()).status == "reused"


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_checkpoint_is_made_again(packaged: Settings, damage: str) -> None:
    quick = changed(packaged, max_steps=2)
    train.run(quick, Clients())
    path = quick.work_dir / "checkpoint" / WEIGHTS
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.unlink()
    assert train.run(quick, Clients()).status == "done"
    assert path.read_bytes() == whole


def test_killed_run_goes_on_to_the_same_model(packaged: Settings) -> None:
    # GIVEN the weights of a run that nobody disturbed
    settings = changed(packaged, max_steps=60, evaluations_per_epoch=10, checkpoint_seconds=0.0)
    train.run(settings, Clients())
    checkpoint = settings.work_dir / "checkpoint"
    undisturbed = file_hash(checkpoint / WEIGHTS)
    (checkpoint / "training.json").unlink()
    # WHEN the same run is killed after its first saved state, and started again
    command = [sys.executable, "-m", "pipeline_steps.train", *flags_of(settings)]
    process = subprocess.Popen([*command, "--checkpoint-seconds", "0"], stdout=subprocess.DEVNULL)
    unfinished = settings.work_dir / "training"
    deadline = time.monotonic() + 60
    while not (unfinished / "resume.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    train.run(settings, Clients())
    # THEN it goes on from there to those very weights, and nothing half-written is left
    assert TrainingReport.load(checkpoint).result["resumed_from_step"] > 0
    assert file_hash(checkpoint / WEIGHTS) == undisturbed
    assert not unfinished.exists()


def test_two_processes_make_one_checkpoint(packaged: Settings) -> None:
    # GIVEN a model that one process trained
    settings = changed(packaged, max_steps=4, dropout=0.0, reinforce=False)
    train.run(settings, Clients())
    checkpoint = settings.work_dir / "checkpoint"
    alone = TrainingReport.load(checkpoint)
    (checkpoint / "training.json").unlink()
    # WHEN two train the same
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    flags = [*flags_of(settings), "--dropout", "0", "--reinforce", "false"]
    command = [sys.executable, "-m", *torchrun, "-m", "pipeline_steps.train", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    # THEN it is the same model, told of once
    shared = TrainingReport.load(checkpoint)
    assert shared.fingerprint == alone.fingerprint
    assert (alone.result["processes"], shared.result["processes"]) == (1, 2)
    assert shared.result["best_loss"] == pytest.approx(alone.result["best_loss"], rel=1e-3)
    assert done.stdout.count("done: ") == 1
    # AND where there is nothing to train, all of them end
    again = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert again.stdout.count("reused: ") == 1


def test_training_job_gives_the_same_model(packaged: Settings, aws: LocalAws) -> None:
    # GIVEN a model that was trained here
    checkpoint = packaged.work_dir / "checkpoint"
    here = TrainingReport.load(checkpoint)
    shutil.rmtree(checkpoint)
    # WHEN the same settings train in a SageMaker job, which has no checkout of ours
    in_job = settings_module.load("demo", overrides={"compute": "sagemaker", "poll_seconds": 0.1})
    settings = dataclasses.replace(packaged, compute=in_job.compute, deploy=in_job.deploy)
    assert train.run(settings, Clients()).status == "done"
    # THEN it is the very same model, down to its bits
    there = TrainingReport.load(checkpoint)
    assert there.files == here.files
    assert there.inputs == here.inputs
    assert there.package_versions == here.package_versions
    assert there.trained_in["job"].startswith(f"t5-sentiment-demo-{here.model_version}-")
    # AND other machines find it
    shutil.rmtree(settings.build_dir / "demo" / "checkpoint")
    assert train.run(settings, Clients()).status == "reused"
    assert TrainingReport.load(checkpoint) == there


def test_changed_data_is_refused(packaged: Settings) -> None:
    other_seed = changed(packaged, seed=1)
    with pytest.raises(DataCheckError, match="not what check_data passed"):
        train.run(other_seed, Clients())


def test_unchecked_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.json is missing"):
        train.run(settings_module.load("demo", tmp_path), Clients())


def test_backbone_without_weights_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")
    settings = settings_module.load("demo", tmp_path, {"backbone": str(folder)})
    check_data.run(settings, Clients())
    with pytest.raises(ConfigurationError, match="backbone"):
        train.run(settings, Clients())


def test_training_without_memory_is_exit_code_4(
    packaged: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Objective, "forward", no_room)
    with pytest.raises(TrainingFailedError, match=r"out of memory.*Set batch_parts to 2") as failed:
        train.run(changed(packaged, max_steps=2), Clients())
    assert failed.value.exit_code == 4


def test_cut_sentences_are_told(packaged: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    train.run(changed(packaged, max_steps=1, max_input_tokens=8), Clients())
    assert re.search(
        r"[\d,]+ sentences were longer than max_input_tokens \(8\)", capsys.readouterr().out
    )


def test_damaged_resume_file_is_exit_code_4(packaged: Settings) -> None:
    unfinished = packaged.work_dir / "training"
    unfinished.mkdir()
    (unfinished / "resume.pt").write_bytes(b"cut short")
    with pytest.raises(
        TrainingFailedError, match=r"resume\.pt .*Delete it to train from the start"
    ):
        train.run(changed(packaged, max_steps=2), Clients())


def test_full_disk_at_the_end_is_exit_code_4(
    packaged: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a disk that is full when the trained model is copied to its place
    quick = changed(packaged, max_steps=2)
    before = TrainingReport.load(packaged.work_dir / "checkpoint")

    def fill(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(shutil, "copyfile", fill)
        with pytest.raises(TrainingFailedError, match=r"checkpoint \(No space left"):
            train.run(quick, Clients())
    # THEN the model before it is whole, and with room the trained one is placed, not trained anew
    assert TrainingReport.load(packaged.work_dir / "checkpoint") == before
    train.run(quick, Clients())
    made = TrainingReport.load(packaged.work_dir / "checkpoint")
    assert made.result["resumed_from_step"] == made.result["steps"] == 2


def test_full_disk_of_a_job_is_exit_code_4(
    packaged: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a job whose model is trained; /dev/full answers every write as a full disk does
    base = packaged.build_dir.parent
    packaged.build_dir.rename(base / "checkpoints")
    (base / "model").mkdir()
    (base / "model" / WEIGHTS).symlink_to("/dev/full")
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    assert training_entry.main(flags_of(packaged)) == 4
    assert f"{base / 'model'} (No space left on device)" in capsys.readouterr().err


def test_temperature_is_of_rows_that_were_held_out(packaged: Settings) -> None:
    report = TrainingReport.load(packaged.work_dir / "checkpoint")
    _, held = held_out.split(read_splits("demo").train)
    assert report.result["held_out_rows"] == len(held) > 0
    for folder in ("checkpoint", "candidate"):
        config = json.loads((packaged.work_dir / folder / "config.json").read_bytes())
        assert config["temperature"] == report.result["temperature"] > 0
    calibration = Evaluation.load(packaged.work_dir).calibration
    assert calibration is not None
    assert calibration.temperature == report.result["temperature"]
    # AND it is what serving applies: without it, the scores would be what `before` says
    assert (calibration.before == calibration.after) == (calibration.temperature == 1)


def test_calibration_can_be_killed_and_done_again(packaged: Settings) -> None:
    from model.calibration import calibrate

    checkpoint = packaged.work_dir / "checkpoint"
    _, held = held_out.split(read_splits("demo").train)
    before = file_hash(checkpoint / "config.json")
    calibrate(checkpoint, held, packaged.training.max_input_tokens)
    assert file_hash(checkpoint / "config.json") == before
    assert calibrate(checkpoint, [], packaged.training.max_input_tokens) == 1
