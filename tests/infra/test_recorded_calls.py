"""Every role is allowed each AWS call that its steps make; the calls are recorded, not listed."""

import ast
import importlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from local_aws.server import LocalAws
from pipeline_steps import (
    create_api,
    evaluate,
    monitor,
    notify,
    rollback,
    teardown,
    training_job,
    training_source,
)
from pipeline_steps.errors import DeployError, TrainingFailedError
from pipeline_steps.release_artefacts import RunReport
from pipeline_steps.settings import Settings
from tests.infra.calls import arn
from tests.infra.conftest import MAIL_FROM, NAME, Account, Recorder
from tests.infra.policy import Request
from tests.pipeline_steps import quick_job

Make = Callable[..., Settings]
ROOM = Path(__file__).parents[2] / "pipeline_steps"
RELEASE = ["deploy_endpoint", "create_api", "create_alarms", "smoke_test"]
TRAINING = ["find_checkpoint", "train", "evaluate"]
BESIDE = ["notify", "rollback", "teardown", "monitor"]
WITHOUT_AWS = {
    *("check_data", "export", "package_model", "report", "summary", "cost", "score"),
    *("evaluate_file", "compare"),
}
ADMINISTRATORS = {"bootstrap"}  # it makes the roles, and runs as a person
RELEASING = {  # some of what must have been recorded, or the flows no longer do what they say
    *("sagemaker:UpdateEndpoint", "sagemaker:DeleteEndpointConfig", "sagemaker:UpdateModelPackage"),
    *("lambda:UpdateAlias", "lambda:DeleteFunction", "iam:PassRole", "s3:PutObject"),
    *("apigateway:PATCH", "apigateway:DELETE", "logs:CreateLogDelivery"),
    *("application-autoscaling:RegisterScalableTarget", "apigateway:POST"),
}
TRAINED = {
    *("sagemaker:CreateTrainingJob", "sagemaker:StopTrainingJob", "sagemaker:AddTags"),
    *("logs:DescribeLogStreams", "logs:GetLogEvents", "iam:PassRole", "s3:PutObject"),
}
PROTECTED = {
    "throttle_rate": 5.0, "cors_origins": "https://example.com", "authorizer": "jwt",
    "jwt_issuer": "https://issuer.example.com", "jwt_audience": "t5",
}  # fmt: skip
PARTS = 9 * 2**20  # bytes: enough for S3's upload in parts


@dataclass
class Flows:
    """The steps, run as the roles that run them in GitHub's jobs."""

    make: Make
    account: Account
    recorder: Recorder
    monkeypatch: pytest.MonkeyPatch

    def settings(self, version: str, environment: str, **more: object) -> Settings:
        """Settings of a release, with the variables of its GitHub environment."""
        self.monkeypatch.setenv("LAMBDA_ROLE_ARN", self.account.arn(f"lambda-{environment}"))
        overrides = {"name": NAME, "environment": environment, "approval": "staging"}
        return self.make(version, **overrides, poll_seconds=0.05, **more)

    def ship(self, version: str, environment: str, **more: object) -> None:
        """Release a version to an environment."""
        settings = self.settings(version, environment, **more)
        for name in RELEASE:
            step = importlib.import_module(f"pipeline_steps.{name}")
            step.run(settings, self.recorder.clients(f"deploy-{environment}", name))

    def denied(self) -> list[str]:
        """The recorded calls that a role's policies refuse."""
        return [
            f"{role}, {doing}: {request.action} on {request.resource}"
            for role, doing, request in self.recorder.calls
            if not self.account.roles[role].allows(request)
        ]


@pytest.fixture
def flows(
    release: Make, account: Account, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> Flows:
    return Flows(release, account, recorder, monkeypatch)


def test_every_step_with_aws_is_recorded() -> None:
    steps = {
        path.stem
        for path in ROOM.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "run"
    } - {"__main__"}
    assert steps - WITHOUT_AWS - ADMINISTRATORS == {*TRAINING, *RELEASE, *BESIDE}


def test_releases_and_rollback_are_allowed(
    flows: Flows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "candidate-aaaaaaaaaaaa"
    weights.mkdir()
    (weights / "weights").write_bytes(os.urandom(PARTS))
    # GIVEN a first release, an update of it, one that is kept warm, and one that fails
    for environment in ("staging", "production"):
        flows.ship("aaaaaaaaaaaa", environment, keep_releases=2)
    # AND settings of the API that change, and change back: each way has calls of its own
    for protected in (PROTECTED, {}):
        settings = flows.settings("aaaaaaaaaaaa", "staging", **protected)
        create_api.run(settings, flows.recorder.clients("deploy-staging", "create_api"))
    for megabytes, changed in ((512, {"max_capacity": 2}), (1024, {"memory_mb": 4096})):
        monkeypatch.setattr(create_api, "FUNCTION_MB", megabytes)  # another version of it
        for environment in ("staging", "production"):
            flows.ship("bbbbbbbbbbbb", environment, keep_releases=2, **changed)
    with pytest.raises(DeployError):
        flows.ship("broken000000", "staging")
    # AND a rollback of each environment
    for environment in ("staging", "production"):
        settings = flows.settings("bbbbbbbbbbbb", environment)
        clients = flows.recorder.clients(f"deploy-{environment}", "rollback")
        rollback.run(settings, clients)
    # THEN the role of each job was allowed all of it
    assert {request.action for _, _, request in flows.recorder.calls} >= RELEASING
    assert not (left := sorted(set(flows.denied()))), "\n".join(left)


def test_staging_may_keep_checkpoints(flows: Flows, packaged: Settings, aws: LocalAws) -> None:
    deploy = flows.settings("aaaaaaaaaaaa", "staging").deploy
    settings = replace(packaged, deploy=deploy)
    for name in ("train", "find_checkpoint"):
        # WHEN it is kept, and then looked for on a machine that does not have it
        step = importlib.import_module(f"pipeline_steps.{name}")
        assert step.run(settings, flows.recorder.clients("deploy-staging", name)).status == "reused"
        shutil.rmtree(settings.work_dir / "checkpoint")
    assert not (left := sorted(set(flows.denied()))), "\n".join(left)
    assert {doing for _, doing, _ in flows.recorder.calls} == {"train", "find_checkpoint"}


def test_staging_may_look_at_the_champion(flows: Flows, packaged: Settings, aws: LocalAws) -> None:
    flows.ship("aaaaaaaaaaaa", "staging")
    deploy = flows.settings("aaaaaaaaaaaa", "staging").deploy
    settings = replace(packaged, deploy=deploy)
    # WHEN the champion's tarball has to be asked, which answers nothing, or its answers are there
    evaluate.run(settings, flows.recorder.clients("deploy-staging", "evaluate"))
    assert not (left := sorted(set(flows.denied()))), "\n".join(left)
    actions = {request.action for _, doing, request in flows.recorder.calls if doing == "evaluate"}
    assert actions >= {"sagemaker:ListModelPackages", "s3:GetObject"}


def test_staging_may_train_in_a_job(
    flows: Flows, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", "")  # it leaves nothing
    settings = flows.settings("aaaaaaaaaaaa", "staging", compute="sagemaker")
    clients = flows.recorder.clients("deploy-staging", "train")
    with pytest.raises(TrainingFailedError, match="it left nothing"):
        training_job.train_in_job(settings, clients, quick_job.PLAN)
    monkeypatch.setattr(training_source, "PROGRAM_TEXT", quick_job.program())
    training_job.train_in_job(settings, clients, quick_job.PLAN)
    # AND a job is stopped when the run is
    monkeypatch.setattr(training_job, "sleep", Mock(side_effect=KeyboardInterrupt))
    other = replace(settings, compute=replace(settings.compute, spot=True))
    with pytest.raises(KeyboardInterrupt):
        training_job.train_in_job(other, clients, quick_job.PLAN)
    assert {request.action for _, _, request in flows.recorder.calls} >= TRAINED
    assert not (left := sorted(set(flows.denied()))), "\n".join(left)


@pytest.mark.parametrize("role", ["deploy-staging", "deploy-production", "monitor"])
def test_mail_is_allowed_from_one_address(flows: Flows, role: str) -> None:
    mail = {"mail_to": "a@example.com", "mail_transport": "ses", "mail_from": MAIL_FROM}
    settings = flows.settings("aaaaaaaaaaaa", "staging", **mail)
    RunReport("demo", None, [], {}).save(settings.work_dir)
    notify.run(settings, flows.recorder.clients(role, "notify"))
    assert not (left := sorted(set(flows.denied()))), "\n".join(left)
    forged = Request("ses:SendEmail", arn("ses", "identity/x"), {"ses:FromAddress": "ceo@x.com"})
    assert not flows.account.roles[role].allows(forged)


def test_staging_may_take_itself_down(flows: Flows) -> None:
    flows.ship("aaaaaaaaaaaa", "staging")
    flows.ship("aaaaaaaaaaaa", "production")
    settings = flows.settings("aaaaaaaaaaaa", "staging")
    clients = flows.recorder.clients("deploy-staging", "teardown")
    teardown.run(settings, clients, ("staging",), confirmed=f"{NAME}-staging")
    assert not (left := sorted(set(flows.denied()))), "\n".join(left)


def test_staging_may_take_itself_down_alone(flows: Flows, aws: LocalAws) -> None:
    # GIVEN nothing in production: what both would share is looked at too
    flows.ship("aaaaaaaaaaaa", "staging")
    settings = flows.settings("aaaaaaaaaaaa", "staging")
    flows.recorder.refusing = flows.account.roles
    clients = flows.recorder.clients("deploy-staging", "teardown")
    teardown.run(settings, clients, ("staging",), confirmed=f"{NAME}-staging")
    # THEN only those that are a person's to delete were hidden from it
    group = arn("sagemaker", f"model-package-group/{NAME}")
    refused = {told for told in flows.denied() if "teardown" in told}
    assert refused <= {f"deploy-staging, teardown: sagemaker:ListTags on {group}"}
    assert aws.client("sagemaker").list_endpoints()["Endpoints"] == []


def test_monitor_only_reads(flows: Flows) -> None:
    flows.ship("aaaaaaaaaaaa", "staging")
    flows.ship("aaaaaaaaaaaa", "production")
    settings = flows.settings("aaaaaaaaaaaa", "production")
    monitor.run(settings, flows.recorder.clients("monitor", "monitor"))
    assert not (left := sorted(set(flows.denied()))), "\n".join(left)
    changing = ("Create", "Update", "Delete", "Put")
    actions = {request.action for role, _, request in flows.recorder.calls if role == "monitor"}
    assert not [action for action in actions if action.partition(":")[2].startswith(changing)]
