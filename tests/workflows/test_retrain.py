"""A dispatch: its inputs good and bad, each compute, no cloud at all; a run that is cancelled."""

from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.conftest import find_free_port
from tests.pipeline_steps.inbox import opened
from tests.workflows.running import Executor, Run
from tests.workflows.shipping import JOBS, ROLE, TESTS, Repository, went_well


@pytest.fixture
def repository(execute: Executor, aws: LocalAws) -> Any:
    with opened(find_free_port()) as inbox:
        yield Repository(execute, aws, inbox)


def all_but(*jobs: str) -> dict[str, Any]:
    """The jobs that are not looked at here went well."""
    return went_well(*(name for name in (*JOBS, "summary") if name not in jobs))


def retrain(repository: Repository, stub: dict[str, Any], **more: Any) -> Run:
    inputs = {"profile": "demo", "deploy": "production", **more.pop("inputs", {})}
    return repository.run("retrain.yml", inputs=inputs, stub=stub, **more)


def test_fresh_fork_trains_and_judges_without_a_cloud(repository: Repository) -> None:
    # GIVEN no bucket, no role, no region
    run = repository.run("retrain.yml", inputs={"profile": "demo", "deploy": "none"}, cloud=False)
    # THEN all is done but to deploy, and no job has logged in anywhere
    results = run.results()
    assert run.result == "success"
    assert results["pipeline.deploy-staging"] == results["pipeline.deploy-production"] == "skipped"
    assert run.logins == []
    assert {job.environment or None for job in run.jobs.values()} == {None}
    assert "is ready; production is untouched" in run.jobs["pipeline.summary"].summary
    assert {kept.name for kept in run.artifacts if kept.days == 30} == {"reports-evaluate", "model"}
    assert "is ready, not deployed" in repository.mailed()[0]


def test_training_job_makes_the_checkpoint(repository: Repository) -> None:
    role = {"TRAINING_ROLE_ARN": repository.aws.environment()["TRAINING_ROLE_ARN"]}
    stub = all_but("check-data", "train")
    run = retrain(repository, stub, inputs={"compute": "sagemaker"}, vars=role)
    assert run.jobs["pipeline.train"].result == "success"
    jobs = repository.aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert [job["TrainingJobStatus"] for job in jobs] == ["Completed"]


def test_training_job_that_cannot_be_launched_is_mailed(repository: Repository) -> None:
    # GIVEN no TRAINING_ROLE_ARN
    run = retrain(repository, went_well("test", "summary"), inputs={"compute": "sagemaker"})
    assert run.jobs["pipeline.train"].result == "failure"
    assert any("TRAINING_ROLE_ARN" in told for told in run.errors())
    subject, text = repository.mailed()
    assert "train" in subject
    assert "TRAINING_ROLE_ARN" in text
    assert "Production is untouched" in text


@pytest.mark.parametrize(
    ("compute", "labels"),
    [("hosted-cpu", ["ubuntu-24.04"]), ("gpu-runner", ["self-hosted", "gpu"]),
     ("sagemaker", ["ubuntu-24.04"])],
)  # fmt: skip
def test_training_runs_where_it_was_asked_for(
    repository: Repository, compute: str, labels: list[str]
) -> None:
    step = "pipeline.train/train"
    run = retrain(
        repository,
        all_but("train") | {"pipeline.train/download": {}, step: {}, "pipeline.train/upload": {}},
        inputs={"compute": compute},
    )
    assert run.jobs["pipeline.train"].result == "success"
    assert run.jobs["pipeline.train"].runs_on == labels
    # AND its login lasts as long as it may
    seconds = {login["job"]: login["seconds"] for login in run.logins}
    assert seconds["pipeline.train"] == "21600"
    repository.mailed()


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"epochs": "many"}, "T5_EPOCHS: 'many' is not a value of type int"),
        ({"min_accuracy": "90"}, "min_accuracy is 90.0, expected 0 to 1"),
        ({"learning_rate": "$(touch /tmp/never)"}, "T5_LEARNING_RATE: '$(touch /tmp/never)' is"),
    ],
)
def test_bad_number_ends_the_run_at_once(
    repository: Repository, inputs: dict[str, str], told: str
) -> None:
    run = retrain(repository, {}, inputs=inputs)
    assert run.results()["pipeline.test"] == "failure"
    assert run.results()["pipeline.check-data"] == "skipped"
    assert told in run.jobs["pipeline.test"].errors()[0]
    _, text = repository.mailed()
    assert told in text
    assert "Production is untouched." in text


def test_missing_role_is_named_with_its_place(repository: Repository) -> None:
    run = retrain(
        repository,
        all_but("deploy-staging", "deploy-production"),
        vars={"SAGEMAKER_ROLE_ARN": ""},
        environments={"staging": {"vars": {"LAMBDA_ROLE_ARN": ROLE, "DEPLOY_ROLE_ARN": ""}}},
    )
    assert run.results()["pipeline.deploy-production"] == "skipped"
    _, text = repository.mailed()
    assert "DEPLOY_ROLE_ARN" in text
    assert "Settings, Environments" in text


def test_refused_login_is_mailed(repository: Repository) -> None:
    login = "pipeline.deploy-staging/aws-actions/configure-aws-credentials"
    run = retrain(
        repository, all_but("deploy-staging", "deploy-production"), fail={login: "Not authorized"}
    )
    assert run.results()["pipeline.deploy-staging"] == "failure"
    subject, text = repository.mailed()
    assert "failed in aws (staging)" in subject
    assert "AWS refused the login as" in text


def test_notifier_mails_where_nothing_can_be_installed(repository: Repository) -> None:
    broken = {f"pipeline.{job}/./.github/actions/python": "no index" for job in ("check-data",)}
    run = retrain(repository, TESTS | {"pipeline.summary": {}}, fail=broken)
    assert run.results()["pipeline.check-data"] == "failure"
    assert "failed in python" in repository.mailed()[0]


def test_cancelled_run_is_mailed(repository: Repository) -> None:
    run = retrain(
        repository,
        went_well("test", "check-data") | {"pipeline.train/download": {}},
        cancel={"pipeline.train/train": ""},
    )
    assert run.cancelled
    assert run.results()["pipeline.train"] == "cancelled"
    subject, text = repository.mailed()
    assert "failed in train" in subject
    assert "Production is untouched." in text


def test_pull_request_of_a_fork_has_no_secret(execute: Executor) -> None:
    made = {"check/Run it": {}, "demo/Run the pipeline from data to a live API": {},
            "demo/Tell it on the run's page": {}}  # fmt: skip
    run = execute("ci.yml", event="pull_request", is_fork=True, stub=made)
    assert run.result == "success"
    assert run.logins == []
    for job in run.jobs.values():
        assert set(job.permissions.values()) <= {"read", "none"}
        assert job.environment in (None, "")
