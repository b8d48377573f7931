"""A checkpoint of other versions: used where it is the same model here, refused where it is not."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from local_aws.server import LocalAws
from pipeline_steps import export, fingerprint, package_model, training_source
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.files import file_hashes
from pipeline_steps.model_artefacts import Manifest, TrainingReport
from pipeline_steps.settings import Settings
from pipeline_steps.training_job import train_in_job
from pipeline_steps.training_plan import plan

OF_AWS = fingerprint.versions() | {"python": "3.12.11", "torch": "2.9.0", "transformers": "5.9.0"}
LEAVES = """
import os, shutil

shutil.copytree({folder!r}, os.environ["SM_MODEL_DIR"], dirs_exist_ok=True)
"""


def rename_a_weight(folder: Path) -> None:
    held = load_file(folder / "model.safetensors")
    held["classifier.kernel"] = held.pop("classifier.weight")
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


def add_a_weight(folder: Path) -> None:
    held = load_file(folder / "model.safetensors")
    held["gate.norm.weight"] = held["classifier.bias"].clone()
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


def change_a_weight(folder: Path) -> None:
    held = load_file(folder / "model.safetensors")
    held["classifier.bias"][0] += 2
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


def change_configuration(**changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | changed), encoding="utf-8")

    return change


def change_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_bytes())
    content["model"]["type"] = "Trigram"
    path.write_text(json.dumps(content), encoding="utf-8")


MIXES = {
    "lacks 1 weights .*'classifier.weight'": rename_a_weight,
    "there is no place for its weight 'gate.norm.weight'": add_a_weight,
    "model_type is 't6-sentiment'": change_configuration(model_type="t6-sentiment"),
    "KeyError: 'swish-2'": change_configuration(dense_act_fn="swish-2"),
    "gate_reads is 'decoder'": change_configuration(gate_reads="decoder"),
    "tokenizer.json is not a tokenizer": change_tokenizer,
}


def from_elsewhere(folder: Path, change: Callable[[Path], None] | None = None) -> None:
    """Let a checkpoint be one that AWS's versions made, and in which something is otherwise."""
    made = TrainingReport.load(folder)
    if change:
        change(folder)
    files = {name: digest for name, digest in file_hashes(folder).items() if name in made.files}
    replace(made, package_versions=OF_AWS, files=files).save(folder)


@pytest.fixture
def in_job(
    packaged: Settings, aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Path], None] | None], Settings]:
    """Settings of a job that leaves the packaged checkpoint, made by AWS's versions."""

    def make(change: Callable[[Path], None] | None) -> Settings:
        folder = tmp_path / "left"
        shutil.move(packaged.work_dir / CHECKPOINT, folder)
        from_elsewhere(folder, change)
        monkeypatch.setattr(training_source, "PROGRAM_TEXT", LEAVES.format(folder=str(folder)))
        quick = {"compute": "sagemaker", "poll_seconds": 0.05}
        made = settings_module.load("demo", overrides=quick)
        return replace(packaged, compute=made.compute, deploy=made.deploy)

    return make


def test_job_with_other_versions_is_stated_and_shipped(
    in_job: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a job whose image has other versions, and a checkpoint that is the same model here
    settings = in_job(None)
    made = train_in_job(settings, Clients(), plan(settings))
    assert "trained with python 3.12.11, torch 2.9.0" in capsys.readouterr().out
    assert made.package_versions == OF_AWS
    # WHEN it is exported and packed
    export.run(settings, Clients())
    package_model.run(settings, Clients())
    # THEN the manifest states the job's versions, its image and the project's versions
    manifest = Manifest.load(settings.work_dir)
    assert manifest.package_versions == OF_AWS
    assert manifest.trained_in["image"].endswith("gpu-py312-cu130-ubuntu22.04")
    assert manifest.exported_with == fingerprint.versions()


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ("does not load here: .*classifier.weight", rename_a_weight),
        (r"gives a validation loss of \d\.\d{4} here, and 0\.\d{4} where it was", change_a_weight),
    ],
)
def test_job_whose_model_is_another_here_is_refused(
    in_job: Callable[..., Settings], aws: LocalAws, told: str, change: Callable[[Path], None]
) -> None:
    settings = in_job(change)
    for _ in range(2):
        with pytest.raises(TrainingFailedError, match=told) as caught:
            train_in_job(settings, Clients(), plan(settings))
        # THEN both versions and the image are named, and what to do
        assert "torch 2.9.0, transformers 5.9.0" in str(caught.value)
        assert f"here are python {fingerprint.versions()['python']}" in str(caught.value)
        assert "ubuntu22.04" in str(caught.value)
        assert "--training-image" in str(caught.value)
        assert caught.value.exit_code == 4
    # AND nothing of it is kept, and no second job was paid for
    assert not (settings.work_dir / CHECKPOINT).exists()
    assert len(aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]) == 1


@pytest.mark.parametrize(("told", "change"), MIXES.items())
def test_checkpoint_that_does_not_load_is_not_exported(
    packaged: Settings, told: str, change: Callable[[Path], None]
) -> None:
    shutil.rmtree(packaged.work_dir / "candidate")
    from_elsewhere(packaged.work_dir / CHECKPOINT, change)
    with pytest.raises(TrainingFailedError, match=rf"does not load here: .*({told})") as caught:
        export.run(packaged, Clients())
    assert "torch 2.9.0, transformers 5.9.0" in str(caught.value)
    assert f"Delete {packaged.work_dir / CHECKPOINT}, then train again" in str(caught.value)
