"""The model that a SageMaker training job has left: fetched, and held against what was planned."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline_steps import other_versions
from pipeline_steps.checkpoint_store import CHECKPOINT, damaged_files
from pipeline_steps.errors import ConfigurationError, PackagingError
from pipeline_steps.files import write_folder_atomically
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.model_bucket import ModelBucket
from pipeline_steps.settings import Settings
from pipeline_steps.tarball import extract_tarball
from pipeline_steps.training_plan import TrainingPlan

ANOTHER_IMAGE = (
    "Nothing was kept, and the same command would fetch the same job again. With --training-image, "
    "choose an image whose versions are nearer to these, which launches a new job; or pin the "
    "image's versions in requirements.txt."
)
GIT_VARIABLE = "TRAINED_FROM"  # in the job's environment, for whoever reads its description


class UnusableModelError(Exception):
    """What a job left is not the model that was asked for; the text says in how far."""


def fetch(
    settings: Settings, bucket: ModelBucket, planned: TrainingPlan, job: dict[str, Any]
) -> TrainingReport:
    """Put the model of a completed job, as AWS describes it, in `checkpoint/`'s place.

    Raises:
        UnusableModelError: it is not there, not whole, or another one.
        TrainingFailedError: with the versions that are installed here it is not that model.
    """
    url = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if url is None:
        raise UnusableModelError("it left nothing")
    tarball = settings.work_dir / ".trained.tar.gz"
    checkpoint = settings.work_dir / CHECKPOINT

    def fill(folder: Path) -> None:
        made = _unpack(tarball, folder, url)
        if made.fingerprint != planned.fingerprint:
            differing = _differing(made.inputs, planned.inputs)
            raise UnusableModelError(f"{url} was made from other inputs ({differing})")
        damaged = damaged_files(folder, made)
        if damaged:
            raise UnusableModelError(f"{url} is damaged ({', '.join(damaged)})")
        # In the container there is no checkout: the one that launched the job is what counts.
        git = json.loads(job["Environment"][GIT_VARIABLE])
        told = replace(made, git=git, trained_in=_trained_in(job))
        if other_versions.are_those_of(told):
            validation = planned.splits.validation
            other_versions.require_same_model(folder, told, validation, ANOTHER_IMAGE)
        told.save(folder)

    try:
        if not bucket.download(url.removeprefix(bucket.url("")), tarball):
            raise UnusableModelError(f"nothing is at {url}")
        write_folder_atomically(checkpoint, fill)
    finally:
        tarball.unlink(missing_ok=True)
    return TrainingReport.load(checkpoint)


def _unpack(tarball: Path, folder: Path, url: str) -> TrainingReport:
    try:
        extract_tarball(tarball, folder)
        return TrainingReport.load(folder)
    except (PackagingError, ConfigurationError) as error:
        raise UnusableModelError(f"{url} is no checkpoint ({error.__cause__ or error})") from error


def _differing(made: dict[str, Any], wanted: dict[str, Any]) -> str:
    return ", ".join(sorted(key for key in wanted if made.get(key) != wanted[key]))


def _trained_in(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "job": job["TrainingJobName"],
        "image": job["AlgorithmSpecification"]["TrainingImage"],
        "instance": job["ResourceConfig"]["InstanceType"],
        "billable_seconds": job.get("BillableTimeInSeconds"),
    }
