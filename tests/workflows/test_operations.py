"""What operators start: roll back, look for drift, tear down; real workflows, real steps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from local_aws.server import BUCKET, SENDER, LocalAws
from pipeline_steps import create_api, deploy_endpoint, smoke_test
from pipeline_steps.aws import Clients
from pipeline_steps.settings import Settings
from tests.pipeline_steps import live_log
from tests.pipeline_steps.released import Release, kinds_left
from tests.workflows.running import Executor, Run

ROLE = "arn:aws:iam::123456789012:role/t5-sentiment-deploy"
NAME = "t5-sentiment-demo"
ENVIRONMENTS = ("production", "staging", "monitor")
QUICK = {"T5_POLL_SECONDS": "0.05", "T5_ENDPOINT_TIMEOUT": "60", "T5_SMOKE_TIMEOUT": "10"}
Operate = Callable[..., Run]


@pytest.fixture
def operate(execute: Executor, aws: LocalAws) -> Operate:
    """Execute a workflow where all is set up as docs/aws-setup.md asks for, but for `without`."""

    def run(workflow: str, *, without: str = "", **more: Any) -> Run:
        deploy = {"DEPLOY_ROLE_ARN": ROLE, "MONITOR_ROLE_ARN": ROLE}
        deploy.pop(without, None)
        settings: Mapping[str, Any] = {
            "vars": {"MODEL_BUCKET": BUCKET, "AWS_REGION": "us-east-1", "PROFILE": "demo"},
            "environments": {name: {"vars": deploy} for name in ENVIRONMENTS},
            "unset": ["MAIL_TO", "MAIL_FROM", "RETRAIN_WORKFLOW", without],
            "aws": aws.environment(),
            "machine": QUICK,
        }
        more["vars"] = settings["vars"] | more.pop("vars", {})
        return execute(workflow, **settings | more)

    return run


def rollback_inputs(**inputs: str) -> dict[str, str]:
    return {"reason": "wrong on short reviews", "profile": "demo", **inputs}


def ship(settings: Settings) -> Settings:
    for step in (deploy_endpoint, create_api, smoke_test):
        step.run(settings, Clients())
    return settings


@pytest.fixture
def once(release: Callable[..., Settings]) -> Settings:
    """A release in production."""
    return ship(release("aaaaaaaaaaaa"))


@pytest.fixture
def twice(once: Settings, release: Callable[..., Settings]) -> Settings:
    """Two releases in production."""
    return ship(release("bbbbbbbbbbbb"))


def answers(aws: LocalAws) -> str:
    """The version of the model that answers in production."""
    answer = requests.post(f"{aws.apis()[NAME]}/predict", json={"inputs": "good"}, timeout=60)
    return answer.headers["X-Model-Version"]


def test_production_goes_back(operate: Operate, twice: Settings, aws: LocalAws) -> None:
    run = operate("rollback.yml", inputs=rollback_inputs())
    assert run.result == "success"
    assert answers(aws) == "aaaaaaaaaaaa"
    job = run.jobs["rollback"]
    assert "serves aaaaaaaaaaaa" in job.summary
    assert "golden answers equal" in job.summary
    assert (job.environment, job.permissions["id-token"]) == ("production", "write")
    # AND no deployment can take its place in the queue, nor end it
    assert run.concurrency == {"group": "rollback-production", "cancel_in_progress": False}
    assert run.name == "Roll production back to previous"


def test_unknown_version_is_told_and_changes_nothing(
    operate: Operate, once: Settings, aws: LocalAws
) -> None:
    run = operate("rollback.yml", inputs=rollback_inputs(to="0123"))
    assert run.result == "failure"
    told = run.jobs["rollback"].annotations[0]
    assert "'0123' is no release of t5-sentiment-demo" in told.message
    assert "aaaaaaaaaaaa" in told.message
    assert told.message in run.jobs["rollback"].summary
    assert run.jobs["rollback"].step("Roll back").exit_code == 2
    assert answers(aws) == "aaaaaaaaaaaa"


@pytest.mark.parametrize(
    ("workflow", "missing", "inputs"),
    [
        ("rollback.yml", "DEPLOY_ROLE_ARN", rollback_inputs()),
        ("teardown.yml", "DEPLOY_ROLE_ARN", {"confirm": f"{NAME}-staging", "profile": "demo"}),
        ("monitor.yml", "MONITOR_ROLE_ARN", {}),
    ],
)
def test_role_that_is_not_set_is_named_with_its_place(
    operate: Operate, workflow: str, missing: str, inputs: dict[str, str]
) -> None:
    run = operate(workflow, inputs=inputs, without=missing)
    assert run.result == "failure"
    (job,) = (job for job in run.jobs.values() if job.steps)
    assert missing in job.errors()[0]
    assert "docs/aws-setup.md" in job.errors()[0]
    assert job.errors()[0] in job.summary
    assert run.logins == []


def test_nothing_is_tried_without_a_login(operate: Operate) -> None:
    login = "aws-actions/configure-aws-credentials"
    message = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    run = operate("rollback.yml", inputs=rollback_inputs(), fail={f"rollback/{login}": message})
    assert run.jobs["rollback"].errors()[0] == message
    assert "AWS refused the login as" in run.jobs["rollback"].summary
    assert run.jobs["rollback"].step("Roll back").outcome == "skipped"


@pytest.fixture
def watched(aws: LocalAws, tmp_path: Path) -> Settings:
    """A release whose live traffic is logged."""
    return live_log.released(tmp_path / "build")


WATCH = {"T5_MONITOR_REQUESTS": "100"}


@pytest.mark.parametrize(
    ("chosen", "started"),
    [({}, ["retrain.yml"]), ({"RETRAIN_WORKFLOW": "other.yml"}, ["other.yml"]),
     ({"RETRAIN_WORKFLOW": "none"}, [])],
)  # fmt: skip
def test_drift_starts_the_retraining(
    operate: Operate, watched: Settings, aws: LocalAws, chosen: dict[str, str], started: list[str]
) -> None:
    live_log.log([live_log.line()] * 200)
    mail = {"MAIL_TO": "a@example.com", "MAIL_FROM": SENDER}
    run = operate(
        "monitor.yml", event="schedule", machine=QUICK | WATCH, vars=chosen | mail,
        changes={".github/workflows/other.yml": OTHER},
    )  # fmt: skip
    assert run.results() == {"monitor": "success", "retrain": "success" if started else "skipped"}
    assert run.jobs["monitor"].outputs == {"drift": "true"}
    assert "drift: 100% of 200 answers are POSITIVE" in run.jobs["monitor"].summary
    assert run.dispatches == [
        {"workflow": workflow, "ref": "main", "inputs": {}} for workflow in started
    ]
    if started:
        assert run.jobs["retrain"].permissions == {"actions": "write"}
    assert len(list(aws.outbox.iterdir())) == 1


OTHER = "on: workflow_dispatch\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'true'}]}}\n"


def test_no_drift_starts_nothing(operate: Operate, watched: Settings) -> None:
    live_log.log(live_log.like_the_evaluation(400))
    run = operate("monitor.yml", event="schedule", machine=QUICK | WATCH)
    assert run.results() == {"monitor": "success", "retrain": "skipped"}
    assert run.jobs["monitor"].outputs == {"drift": "false"}
    assert (run.dispatches, run.result) == ([], "success")


def test_fresh_fork_watches_nothing(operate: Operate) -> None:
    run = operate("monitor.yml", event="schedule", vars={"MODEL_BUCKET": ""})
    assert run.results() == {"monitor": "skipped", "retrain": "skipped"}


@pytest.fixture
def staging(release: Callable[..., Settings]) -> Settings:
    """A release in staging, and one in production."""
    settings = release("0123456789ab")
    for environment in ("staging", "production"):
        there = settings.in_environment(environment)  # type: ignore[arg-type]
        Release(there, Clients(), settings.work_dir / "model.tar.gz")
    return settings


def test_staging_is_torn_down_and_production_stays(operate: Operate, staging: Settings) -> None:
    before = kinds_left(staging, Clients(), "production")
    confirmed = {"confirm": f"{NAME}-staging", "profile": "demo"}
    run = operate("teardown.yml", inputs=confirmed)
    assert run.result == "success"
    assert "nothing is left of t5-sentiment-demo (staging)" in run.jobs["teardown"].summary
    assert kinds_left(staging, Clients(), "staging") == set()
    assert kinds_left(staging, Clients(), "production") == before
    assert run.concurrency == {"group": "deploy-staging", "cancel_in_progress": False}


def test_wrong_confirmation_deletes_nothing(operate: Operate, staging: Settings) -> None:
    before = kinds_left(staging, Clients(), "staging")
    run = operate("teardown.yml", inputs={"confirm": NAME, "profile": "demo"})
    assert run.result == "failure"
    told = run.jobs["teardown"].errors()[0]
    assert told.startswith(f"Nothing was deleted: '{NAME}' was given as confirmation")
    assert told in run.jobs["teardown"].summary
    assert kinds_left(staging, Clients(), "staging") == before
