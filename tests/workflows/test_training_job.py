"""Training on SageMaker, from a dispatch to the page and the mail: how a job can end, and begin."""

import html
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError
from moto.sagemaker.models import SageMakerModelBackend

from local_aws.server import LocalAws
from local_aws.training_plane import TrainingPlane
from pipeline_steps import check_data
from pipeline_steps import settings as settings_module
from pipeline_steps.clients import Clients
from pipeline_steps.model_artefacts import DataReport
from tests.workflows.running import Run
from tests.workflows.shipping import EASY, QUICK, Repository, all_but, went_well

FAILS = """
import sys


def main():
    sys.exit("error: the GPU has no memory left")
"""
WAITS = """
import time


def main():
    print("the first epoch", flush=True)
    time.sleep(120)
"""
QUOTA = (
    "The account-level service limit 'ml.g5.xlarge for training job usage' is 0 Instances, with "
    "current utilization of 0 Instances and a request delta of 1 Instances."
)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the job `check-data` hands on."""
    settings = settings_module.load("demo", tmp_path_factory.mktemp("checked"), {})
    check_data.run(settings, Clients())
    return (settings.work_dir / DataReport.FILE).read_text(encoding="utf-8")


@pytest.fixture
def dispatch(repository: Repository, checked: str) -> Callable[..., Run]:
    """Retrain on SageMaker with data that is checked; `program` is what runs in the container."""

    role = {"TRAINING_ROLE_ARN": repository.aws.environment()["TRAINING_ROLE_ARN"]}

    def run(program: str | None = None, **more: Any) -> Run:
        changes = {"pipeline.toml": EASY, f"build/demo/{DataReport.FILE}": checked}
        if program:
            changes["pipeline_steps/training_entry.py"] = program
        stub = more.pop("stub", went_well("test", "check-data"))
        return repository.run(
            "retrain.yml",
            inputs={"profile": "demo", "deploy": "production", "compute": "sagemaker"},
            vars=role | more.pop("vars", {}),
            stub=stub | {"pipeline.train/download": {}},
            machine=QUICK | more.pop("machine", {}),
            changes=changes,
            **more,
        )

    return run


def jobs(aws: LocalAws) -> list[dict[str, Any]]:
    """All training jobs, as AWS describes them."""
    sagemaker = aws.client("sagemaker")
    found = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    return [
        sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"]) for job in found
    ]


def in_state(aws: LocalAws, state: str) -> str:
    """The name of the only job, once it has come to a state."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for job in jobs(aws):
            if job["SecondaryStatus"] == state:
                return str(job["TrainingJobName"])
        time.sleep(0.05)
    raise AssertionError(f"No job is {state}: {jobs(aws)}")


def check_told(run: Run, repository: Repository, *said: str) -> None:
    """The annotation, the page and the mail all say it, and that production is untouched."""
    assert run.results()["pipeline.train"] == "failure"
    annotation = run.jobs["pipeline.train"].errors()[0]
    page = html.unescape(run.jobs["pipeline.summary"].summary)
    subject, mail = repository.mailed()
    assert "failed in train" in subject
    for text in said:
        assert text in annotation
        assert text in page
        assert text in mail
    assert "Production is untouched." in page
    assert "Production is untouched." in mail
    assert repository.aws.apis() == {}


def refuse(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, message: str) -> None:
    """Let the local SageMaker refuse an operation from now on."""

    def refused(*_: Any, **__: Any) -> Any:
        raise JsonRESTError(code, message)

    monkeypatch.setattr(SageMakerModelBackend, operation, refused)


@contextmanager
def when_training(aws: LocalAws, act: Callable[[str], object]) -> Iterator[None]:
    """Do something to the job of the run inside the block, by its name, while it trains."""
    with ThreadPoolExecutor(1) as others:
        done = others.submit(lambda: act(in_state(aws, "Training")))
        yield
        done.result()


def test_training_job_makes_the_checkpoint(
    dispatch: Callable[..., Run], repository: Repository
) -> None:
    run = dispatch(stub=all_but("train"))
    assert run.jobs["pipeline.train"].result == "success"
    assert "trained" in {artifact.name for artifact in run.artifacts}
    assert [job["TrainingJobStatus"] for job in jobs(repository.aws)] == ["Completed"]


def test_failed_job_is_told_with_its_reason(
    dispatch: Callable[..., Run], repository: Repository
) -> None:
    run = dispatch(FAILS)
    check_told(run, repository, "failed: AlgorithmError", "error: the GPU has no memory left")
    assert [job["TrainingJobStatus"] for job in jobs(repository.aws)] == ["Failed"]


def test_job_stopped_from_outside_is_told(
    dispatch: Callable[..., Run], repository: Repository
) -> None:
    sagemaker = repository.aws.client("sagemaker")

    def stop(name: str) -> None:
        sagemaker.stop_training_job(TrainingJobName=name)

    with when_training(repository.aws, stop):
        run = dispatch(WAITS)
    check_told(run, repository, "was stopped (Stopped), not by this run", "it launches a new job")


def test_quota_that_allows_no_job_is_told(
    dispatch: Callable[..., Run], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "create_training_job", "ResourceLimitExceeded", QUOTA)
    run = dispatch()
    check_told(run, repository, QUOTA, "Service Quotas console", "--training-instance")


def test_job_that_never_starts_is_told_and_stopped(
    dispatch: Callable[..., Run], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN no instance for it
    monkeypatch.setattr(TrainingPlane, "start", lambda *_: None)
    run = dispatch(machine={"T5_START_TIMEOUT": "1"})
    check_told(run, repository, "has not started within 1 s", "is Starting", "Try again later")
    assert [job["TrainingJobStatus"] for job in jobs(repository.aws)] == ["Stopping"]


def test_expired_credentials_leave_the_job_to_the_next_run(
    dispatch: Callable[..., Run], repository: Repository
) -> None:
    # GIVEN a login that expires while the job trains
    with pytest.MonkeyPatch.context() as expired:
        told = "The security token included in the request is expired"
        refusal = ("describe_training_job", "ExpiredTokenException", told)
        with when_training(repository.aws, lambda _: refuse(expired, *refusal)):
            run = dispatch()
        check_told(run, repository, told, "goes on without us", "or workflow picks it up")
    # WHEN it is dispatched again THEN the same job's model is fetched
    again = dispatch(stub=all_but("train"))
    assert again.jobs["pipeline.train"].result == "success"
    assert [job["TrainingJobStatus"] for job in jobs(repository.aws)] == ["Completed"]


def test_cancelled_workflow_stops_its_job(
    dispatch: Callable[..., Run], repository: Repository
) -> None:
    # WHEN the run is cancelled after the job's first line
    run = dispatch(WAITS, cancel={"pipeline.train/train": "the first epoch"})
    assert run.cancelled
    assert run.results()["pipeline.train"] == "cancelled"
    assert "is being stopped" in run.jobs["pipeline.train"].step("train").text
    # THEN AWS has stopped it, too
    in_state(repository.aws, "Stopped")
    _, mail = repository.mailed()
    assert "Stopped by hand or by a signal" in mail
    assert "Production is untouched." in mail


def test_job_that_cannot_be_launched_is_told(
    dispatch: Callable[..., Run], repository: Repository
) -> None:
    run = dispatch(vars={"TRAINING_ROLE_ARN": ""})
    check_told(run, repository, "TRAINING_ROLE_ARN")
    assert jobs(repository.aws) == []
