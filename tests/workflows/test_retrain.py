"""A dispatch: its inputs good and bad, each compute, no cloud at all; a run that is cancelled."""

import email
import email.policy
import os
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import SENDER
from pipeline_steps import serving_image
from tests.workflows.running import Executor, Run
from tests.workflows.shipping import ROLE, TESTS, Repository, all_but, went_well


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


STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "{calls}"
if [ "$(basename "$0")" = aws ]; then echo password; fi
if [ "$1" = login ]; then cat > /dev/null; fi
"""


def test_missing_image_is_built_as_sagemaker_takes_it(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN sources whose image is not in the repository, and a runner that has Docker
    image = [{"imageTag": serving_image.tag()}]
    repository.aws.client("ecr").batch_delete_image(repositoryName="t5-sentiment", imageIds=image)
    (tmp_path / "bin").mkdir()
    for name in ("aws", "docker"):
        (tmp_path / "bin" / name).write_text(STUB.format(calls=tmp_path / "calls"))
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    job = "pipeline.deploy-staging"
    steps = ("download", "deploy_endpoint", "smoke_test", "create_alarms", "reports")
    stub = all_but("deploy-staging", "deploy-production") | {f"{job}/{each}": {} for each in steps}
    stub[f"{job}/create_api"] = {"api_url": "https://api.example.com"}
    # WHEN staging is released
    run = retrain(repository, stub, inputs={"deploy": "staging"})
    assert run.jobs[job].result == "success"
    # THEN it is built in Docker's format, and pushed
    address = repository.aws.environment()["IMAGE_REPOSITORY"]
    built, registry = f"{address}:{serving_image.tag()}", address.partition("/")[0]
    assert sorted((tmp_path / "calls").read_text().splitlines()) == [
        "aws ecr get-login-password",
        f"docker buildx build --provenance=false --output type=docker --tag {built} serving",
        f"docker login --username AWS --password-stdin {registry}",
        f"docker push {built}",
    ]


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


def test_mail_goes_by_ses(repository: Repository) -> None:
    # GIVEN no mail server but Amazon's
    run = retrain(
        repository,
        went_well("test", "check-data", "summary"),
        fail={"pipeline.train": "the runner is lost"},
        vars={"MAIL_TRANSPORT": "ses", "MAIL_FROM": SENDER, "SMTP_HOST": ""},
    )
    assert run.jobs["pipeline.notify"].result == "success"
    (file,) = repository.aws.outbox.glob("*.eml")
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert (mail["From"], mail["To"]) == (SENDER, "team@example.com")
    assert "failed in train" in mail["Subject"]
    text = mail.get_body(("plain",)).get_content()
    assert "The job 'train' ended with 'failure'" in text
    assert "Production is untouched." in text
    # AND the notifier was logged in for it, as the role that may mail
    assert run.jobs["pipeline.notify"].environment == "monitor"
    assert [login["job"] for login in run.logins] == ["pipeline.notify"]


def test_sender_that_ses_does_not_know_fails_the_notifier(repository: Repository) -> None:
    run = retrain(
        repository,
        all_but(),
        vars={"MAIL_TRANSPORT": "ses", "MAIL_FROM": "stranger@example.net"},
    )
    assert run.results()["pipeline.notify"] == "failure"
    assert "Sending mail through SES" in run.jobs["pipeline.notify"].errors()[0]


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
    made = {"check/Run it": {}, "check/Get what the tests run the function under": {},
            "demo/Run the pipeline from data to a live API": {},
            "demo/Tell it on the run's page": {}}  # fmt: skip
    run = execute("ci.yml", event="pull_request", is_fork=True, stub=made)
    assert run.result == "success"
    assert run.logins == []
    for job in run.jobs.values():
        assert set(job.permissions.values()) <= {"read", "none"}
        assert job.environment in (None, "")
