"""What a job is given is what was planned: the same rows, the same settings, the whole code."""

import dataclasses
import tarfile
from pathlib import Path
from typing import Any

import pytest
import transformers

from local_aws.server import BUCKET, LocalAws
from model.data import Example, Splits, read_splits
from pipeline_steps import settings as settings_module
from pipeline_steps import step, training_source
from pipeline_steps.aws import Clients
from pipeline_steps.model_bucket import ModelBucket
from pipeline_steps.settings import Settings
from pipeline_steps.training_plan import TrainingPlan

ROWS = Splits([Example("so\tso “film”", 0), Example("ja", 1)], [Example("line\u2028break", 1)])
PLAN = TrainingPlan(ROWS, {"backbone": "t5-small@" + "df" * 20})


def uploaded(settings: Settings) -> training_source.JobInputs:
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    return training_source.upload(settings, ModelBucket(settings, Clients()), PLAN)


def download(aws: LocalAws, url: str, folder: Path) -> Path:
    """Fetch all that begins with `url`, as a channel is."""
    s3, prefix = aws.client("s3"), url.removeprefix(f"s3://{BUCKET}/")
    folder.mkdir()
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
        s3.download_file(BUCKET, item["Key"], str(folder / item["Key"].removeprefix(prefix)))
    return folder


def test_data_keeps_its_hash(aws: LocalAws, tmp_path: Path) -> None:
    inputs = uploaded(settings_module.load("demo", tmp_path))
    there = read_splits(str(download(aws, inputs.channels["data"], tmp_path / "data")))
    assert there.hash() == ROWS.hash()


def test_several_instances_are_started_by_torchrun(aws: LocalAws, tmp_path: Path) -> None:
    def asked(**compute: Any) -> str | None:
        inputs = uploaded(settings_module.load("demo", tmp_path, compute))
        return inputs.hyperparameters.get("sagemaker_torch_distributed_enabled")

    assert asked() is None
    assert asked(instance_count=2) == asked(distributed=True) == "true"


@pytest.mark.parametrize("profile", ["demo", "sst2"])
def test_hyperparameters_are_the_settings(aws: LocalAws, tmp_path: Path, profile: str) -> None:
    changed: dict[str, Any] = {"learning_rate": 1.5e-5, "seed": 7, "tokenizer": ""}
    settings = settings_module.load(profile, tmp_path, changed)
    inputs = uploaded(settings)
    flags = [
        text
        for name, value in inputs.hyperparameters.items()
        if not name.startswith("sagemaker_")
        for text in (f"--{name}", value)
    ]
    parsed = settings_module.from_flags(step.parser_with_flags("").parse_args(flags))
    assert parsed.training == settings.training
    assert parsed.model.tokenizer == ""
    # THEN a hub's model is named by its commit, so that it is the same there
    wanted = PLAN.inputs["backbone"] if profile == "sst2" else "random:tiny"
    assert parsed.model.backbone == wanted


def test_local_backbone_is_a_channel(aws: LocalAws, tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "notes.txt"):
        (folder / name).write_text(name, encoding="utf-8")
    inputs = uploaded(settings_module.load("sst2", tmp_path, {"backbone": str(folder)}))
    assert "backbone" not in inputs.hyperparameters
    there = download(aws, inputs.channels["backbone"], tmp_path / "there")
    assert sorted(path.name for path in there.iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip


def test_same_inputs_are_uploaded_once(aws: LocalAws, tmp_path: Path) -> None:
    settings = settings_module.load("demo", tmp_path)
    first = uploaded(settings)
    assert uploaded(settings) == first
    versions = aws.client("s3").list_object_versions(Bucket=BUCKET)["Versions"]
    assert len(versions) == 3
    other = dataclasses.replace(settings, profile="sst2")
    assert uploaded(other).channels == first.channels


def test_source_pins_what_the_image_lacks_or_has_otherwise(aws: LocalAws, tmp_path: Path) -> None:
    inputs = uploaded(settings_module.load("demo", tmp_path))
    url = inputs.hyperparameters["sagemaker_submit_directory"]
    folder = download(aws, url.removesuffix("sourcedir.tar.gz"), tmp_path / "source")
    with tarfile.open(folder / "sourcedir.tar.gz") as tar:
        names = tar.getnames()
        pins = tar.extractfile("requirements.txt").read().decode().split()  # type: ignore[union-attr]
    assert {"train.py", "pipeline.toml", "model/modeling.py"} <= set(names)
    pinned = dict(pin.split("==") for pin in pins)
    assert pinned.keys() == {"dacite", "rich", "transformers", "tokenizers", "safetensors"}
    assert pinned["transformers"] == transformers.__version__
