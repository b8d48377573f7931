"""A checkpoint kept by one machine is found, whole, by another; what is not whole is not used."""

import dataclasses
from pathlib import Path

import pytest

from local_aws.server import BUCKET, LocalAws
from pipeline_steps import checkpoint_store
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.files import file_hashes
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.settings import Settings

KEY = "ab" * 32
PREFIX = f"t5-sentiment-demo/training/checkpoints/{KEY}"


def machine(folder: Path, **overrides: object) -> Settings:
    """Settings of a machine that knows of the bucket and has nothing yet."""
    return settings_module.load("demo", folder, {"bucket": BUCKET, **overrides})


def trained(settings: Settings, weights: bytes = b"weights") -> TrainingReport:
    """What a training of `KEY` leaves."""
    folder = settings.work_dir / CHECKPOINT
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    report = TrainingReport(KEY[:12], KEY, {}, {"best_accuracy": 0.9}, {}, {}, file_hashes(folder))
    report.save(folder)
    return report


@pytest.fixture
def kept(aws: LocalAws, tmp_path: Path) -> TrainingReport:
    """A checkpoint that another machine has kept."""
    elsewhere = machine(tmp_path / "elsewhere")
    made = trained(elsewhere)
    checkpoint_store.keep(elsewhere, Clients(), made)
    return made


def test_kept_checkpoint_is_found_elsewhere(kept: TrainingReport, tmp_path: Path) -> None:
    here = machine(tmp_path)
    assert checkpoint_store.find(here, Clients(), KEY) == kept
    folder = here.work_dir / CHECKPOINT
    assert TrainingReport.load(folder) == kept
    assert kept.files.items() <= file_hashes(folder).items()


def test_other_fingerprint_is_not_found(kept: TrainingReport, tmp_path: Path) -> None:
    here = machine(tmp_path)
    assert checkpoint_store.find(here, Clients(), "cd" * 32) is None
    assert not (here.work_dir / CHECKPOINT).exists()


def test_checkpoint_at_hand_is_not_fetched(aws: LocalAws, tmp_path: Path) -> None:
    here = machine(tmp_path, bucket="nobody-made-this")
    assert checkpoint_store.find(here, Clients(), KEY) is None
    made = trained(here)
    assert checkpoint_store.find(here, Clients(), KEY) == made


def test_without_a_bucket_aws_is_not_asked(tmp_path: Path) -> None:
    here = machine(tmp_path, bucket="")
    assert checkpoint_store.find(here, Clients(), KEY) is None
    checkpoint_store.keep(here, Clients(), trained(here))


def test_half_an_upload_is_not_taken_for_whole(
    aws: LocalAws, kept: TrainingReport, tmp_path: Path
) -> None:
    aws.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{TrainingReport.FILE}")
    here = machine(tmp_path)
    assert checkpoint_store.find(here, Clients(), KEY) is None
    # AND the next run completes it
    checkpoint_store.keep(here, Clients(), trained(here))
    assert checkpoint_store.find(machine(tmp_path / "third"), Clients(), KEY) == kept


def test_first_training_of_two_stays(kept: TrainingReport, tmp_path: Path) -> None:
    here = machine(tmp_path)
    checkpoint_store.keep(here, Clients(), trained(here, weights=b"of another machine"))
    assert checkpoint_store.find(machine(tmp_path / "third"), Clients(), KEY) == kept


@pytest.mark.parametrize("damage", ["gone", "another file"])
def test_damaged_checkpoint_is_told(
    aws: LocalAws, kept: TrainingReport, tmp_path: Path, damage: str
) -> None:
    s3, key = aws.client("s3"), f"{PREFIX}/{kept.files['config.json'][:16]}/config.json"
    if damage == "gone":
        s3.delete_object(Bucket=BUCKET, Key=key)
    else:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"exchanged")
    here = machine(tmp_path)
    with pytest.raises(TrainingFailedError, match=rf"config\.json is {damage}.*delete what is"):
        checkpoint_store.find(here, Clients(), KEY)
    assert not list(here.work_dir.iterdir())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"fingerprint": "cd" * 32}, "is of cdcd"),
        ({"files": {"../../escaped": "0" * 64}}, "is no name of a file"),
    ],
)
def test_report_of_something_else_is_told(
    aws: LocalAws, kept: TrainingReport, tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    body = dataclasses.replace(kept, **changed).text().encode()
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{PREFIX}/{kept.FILE}", Body=body)
    with pytest.raises(TrainingFailedError, match=told):
        checkpoint_store.find(machine(tmp_path), Clients(), KEY)


def test_unreadable_report_is_told(aws: LocalAws, kept: TrainingReport, tmp_path: Path) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{PREFIX}/{kept.FILE}", Body=b"<html>")
    with pytest.raises(TrainingFailedError, match="is not readable"):
        checkpoint_store.find(machine(tmp_path), Clients(), KEY)


def test_unknown_bucket_is_told(aws: LocalAws, tmp_path: Path) -> None:
    here = machine(tmp_path, bucket="nobody-made-this")
    with pytest.raises(TrainingFailedError, match=r"Keeping the trained model .*NoSuchBucket"):
        checkpoint_store.keep(here, Clients(), trained(here))


def test_fetch_replaces_another_model(kept: TrainingReport, tmp_path: Path) -> None:
    here = machine(tmp_path)
    trained(here)
    other = dataclasses.replace(kept, fingerprint="cd" * 32)
    other.save(here.work_dir / CHECKPOINT)
    (here.work_dir / CHECKPOINT / "left over").write_bytes(b"")
    assert checkpoint_store.find(here, Clients(), KEY) == kept
    assert not (here.work_dir / CHECKPOINT / "left over").exists()
