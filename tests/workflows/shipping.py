"""A repository set up as docs/github-setup.md asks for, with an AWS and a mail server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from local_aws.server import BUCKET, LocalAws
from pipeline_steps import serving_image
from tests.pipeline_steps.inbox import Inbox
from tests.workflows.running import ROOT, Executor, Run

ROLE = "arn:aws:iam::123456789012:role/t5-sentiment"
NAME = "t5-sentiment-demo"
ENVIRONMENTS = ("staging", "production", "monitor")
# A training of seconds, whose model may be as bad as it likes, by way of staging.
QUICK = {
    "T5_VOCAB_SIZE": "600", "T5_MAX_STEPS": "25", "T5_POLL_SECONDS": "0.05",
    "T5_ENDPOINT_TIMEOUT": "60", "T5_SMOKE_TIMEOUT": "10",
}  # fmt: skip
PROFILES = (ROOT / "pipeline.toml").read_text(encoding="utf-8")
EASY = PROFILES.replace('approval = "evaluation"', 'approval = "staging"').replace(
    "min_accuracy = 0.90", "min_accuracy = 0.01", 1
)
TESTS = {"pipeline.test/Run the tests": {}}  # of this repository: these run them
JOBS = (
    "test", "check-data", "train", "evaluate", "package", "deploy-staging", "deploy-production",
)  # fmt: skip


def went_well(*jobs: str) -> dict[str, dict[str, str]]:
    """Jobs that are not looked at: they succeed, and have run nothing."""
    outputs = {
        "check-data": {"reused": "false", "model_version": "0123456789ab"},
        "package": {"tarball_sha256": "f" * 64},
    }
    return {f"pipeline.{name}": outputs.get(name, {}) for name in jobs}


def all_but(*jobs: str) -> dict[str, dict[str, str]]:
    """The other jobs went well, up to the one that mails."""
    return went_well(*(name for name in (*JOBS, "summary") if name not in jobs))


@dataclass
class Repository:
    """Runs workflows; `overrides` are what a test sets otherwise than the guide."""

    execute: Executor
    aws: LocalAws
    inbox: Inbox
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep our image in its repository: there is no Docker here to build it with."""
        ecr = self.aws.client("ecr")
        ecr.create_repository(repositoryName="t5-sentiment")
        ecr.put_image(
            repositoryName="t5-sentiment",
            imageManifest=json.dumps({"schemaVersion": 2, "mediaType": serving_image.DOCKER}),
            imageTag=serving_image.tag(),
        )

    def run(self, workflow: str, *, cloud: bool = True, **more: Any) -> Run:
        """Execute a workflow; without `cloud`, as in a fresh fork."""
        known = self.aws.environment()
        mail = {
            "MAIL_TO": "team@example.com", "MAIL_FROM": "ci@example.com", "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.inbox.server["smtp_port"]), "SMTP_TLS": "false",
        }  # fmt: skip
        variables = {"PROFILE": "demo", **mail}
        roles = {"DEPLOY_ROLE_ARN": ROLE, "MONITOR_ROLE_ARN": ROLE}
        if cloud:
            variables |= {
                "MODEL_BUCKET": BUCKET, "AWS_REGION": "us-east-1",
                "SAGEMAKER_ROLE_ARN": known["SAGEMAKER_ROLE_ARN"],
                "IMAGE_REPOSITORY": known["IMAGE_REPOSITORY"],
            }  # fmt: skip
            roles["LAMBDA_ROLE_ARN"] = known["LAMBDA_ROLE_ARN"]
        variables |= more.pop("vars", {})
        settings: Mapping[str, Any] = {
            "vars": variables,
            "environments": {name: {"vars": roles} for name in ENVIRONMENTS} if cloud else {},
            "unset": UNSET - set(variables) - (set(roles) if cloud else set()),
            "event_payload": {
                "repository": {"visibility": "public"},
                "head_commit": {"message": "Shorter sentences (#12)"},
            },
            "aws": known if cloud else {},
            "machine": QUICK,
            "changes": {"pipeline.toml": EASY},
            "timeout_seconds": 900,
        }
        stub = more.pop("stub", TESTS)
        return self.execute(workflow, **settings | more, stub=stub)

    def answers(self) -> str:
        """The version of the model that answers in production."""
        url = f"{self.aws.apis()[NAME]}/predict"
        answer = requests.post(url, json={"inputs": "good"}, timeout=60)
        return f"{answer.status_code} {answer.headers['X-Model-Version']}"

    def api_page(self) -> str:
        """The page that production serves to browsers."""
        return requests.get(self.aws.apis()[NAME], timeout=60).text

    def uploaded(self, name: str) -> list[Any]:
        """What the files of this name in the model bucket say."""
        s3 = self.aws.client("s3")
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        found = [key for key in keys if key.endswith(f"/{name}")]
        return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in found]

    def mailed(self) -> tuple[str, str]:
        """Subject and text of the one mail since the last look."""
        (message,) = self.inbox.messages
        self.inbox.messages.clear()
        body = message.get_body(("plain",))
        assert body is not None
        return message["Subject"], body.get_content()


UNSET = {
    "MODEL_BUCKET", "AWS_REGION", "SAGEMAKER_ROLE_ARN", "LAMBDA_ROLE_ARN", "ALARM_TOPIC_ARN",
    "IMAGE_REPOSITORY", "DEPLOY_ROLE_ARN", "MONITOR_ROLE_ARN", "TRAINING_ROLE_ARN", "COMPUTE",
    "MAIL_TRANSPORT", "MAIL_ON_SUCCESS", "SMTP_USERNAME", "SMTP_PASSWORD",
}  # fmt: skip
