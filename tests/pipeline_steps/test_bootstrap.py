"""Bootstrap against the local AWS: made, found unchanged, refused, repaired, and deleted whole."""

import io
import os
import pty
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.server import BUCKET as LOCAL_BUCKET
from local_aws.server import ROLES, LocalAws
from pipeline_steps import bootstrap

pytestmark = [
    pytest.mark.filterwarnings("ignore:Tried to parse AWS", "ignore:Unable to delete"),
    pytest.mark.usefixtures("aws"),
]
NAME = "t5-sentiment"
STACK = f"{NAME}-bootstrap"
QUICK = ["--poll-seconds", "0.05", "--name", NAME]
MAKE = [*QUICK, "--repository", "octo-org/octo-repo"]
GIT = shutil.which("git") or "git"
Checkout = Callable[[str | None], None]
GITHUB = "https://token.actions.githubusercontent.com"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real terminal on stdin, and what is typed there."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        # Ctrl-D behind it: a second question finds the end, and waits for nobody.
        yield lambda text: os.write(ours, f"{text}\n\x04".encode())
    os.close(ours)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """Makes a repository with a remote, or without one, the current folder."""

    def make(remote: str | None) -> None:
        subprocess.run([GIT, "init", "-q", str(tmp_path / "checkout")], check=True)
        monkeypatch.chdir(tmp_path / "checkout")
        if remote:
            subprocess.run([GIT, "remote", "add", "origin", remote], check=True)

    return make


def status(aws: LocalAws) -> str | None:
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    return next((item["StackStatus"] for item in stacks if item["StackName"] == STACK), None)


def parameters(aws: LocalAws) -> dict[str, str]:
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}


def belongings(aws: LocalAws) -> list[str]:
    """All that the account has beside what the local AWS provides."""
    iam, topics = aws.client("iam"), aws.client("sns").list_topics()["Topics"]
    providers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    repositories = aws.client("ecr").describe_repositories()["repositories"]
    buckets = [item["Name"] for item in aws.client("s3").list_buckets()["Buckets"]]
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    return [
        *(bucket for bucket in buckets if bucket != LOCAL_BUCKET),
        *(role for role in roles if role not in {name for name, _ in ROLES.values()}),
        *(item["Arn"] for item in iam.list_policies(Scope="Local")["Policies"]),
        *(item["TopicArn"] for item in topics),
        *(item["repositoryName"] for item in repositories),
        *(item["Arn"] for item in providers),
    ]


def test_account_is_made_and_github_told(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main([*MAKE, "--yes", "--budget", "5"]) == 0
    assert status(aws) == "CREATE_COMPLETE"
    said = capsys.readouterr().out
    assert said.startswith("AWS account 123456789012, region us-east-1, stack t5-sentiment-boot")
    assert "Add      ModelBucket                AWS::S3::Bucket" in said
    assert "gh api --silent --method PUT repos/octo-org/octo-repo/environments/staging" in said
    role = "'arn:aws:iam::123456789012:role/t5-sentiment-deploy-production'"
    assert f"set DEPLOY_ROLE_ARN --repo octo-org/octo-repo --env production --body {role}" in said
    assert parameters(aws)["MonthlyBudget"] == "5"


def test_second_run_changes_nothing(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main([*MAKE, "--yes", "--mail", "a@example.com"]) == 0
    before, asked = belongings(aws), parameters(aws)
    capsys.readouterr()
    # Without a terminal, and without --mail: what was given once is kept
    assert bootstrap.main(MAKE) == 0
    assert "No changes" in capsys.readouterr().out
    assert (belongings(aws), parameters(aws)) == (before, asked)
    # AND what is given anew is a change
    assert bootstrap.main([*MAKE, "--yes", "--mail", "b@example.com"]) == 0
    assert parameters(aws)["AlarmMail"] == "b@example.com"


def test_nobody_to_ask_changes_nothing(
    aws: LocalAws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert bootstrap.main(MAKE) == 2
    captured = capsys.readouterr()
    assert "ModelBucket" in captured.out  # what it would do was shown
    assert "there is no terminal to ask at" in captured.err
    assert (status(aws), belongings(aws)) == (None, [])


@pytest.mark.parametrize(
    ("answer", "made"), [("y", "CREATE_COMPLETE"), ("n", None), ("", None), ("\x04", None)]
)
def test_answer_decides(aws: LocalAws, typed: Any, answer: str, made: str | None) -> None:
    typed(answer)
    assert bootstrap.main(MAKE) == 0
    assert status(aws) == made


def test_known_provider_is_used(aws: LocalAws) -> None:
    made = aws.client("iam").create_open_id_connect_provider(
        Url=GITHUB, ClientIDList=["sts.amazonaws.com"]
    )
    for _ in range(2):
        assert bootstrap.main([*MAKE, "--yes"]) == 0
        assert parameters(aws)["OidcProviderArn"] == made["OpenIDConnectProviderArn"]


def test_provider_for_others_is_told(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.client("iam").create_open_id_connect_provider(Url=GITHUB, ClientIDList=["sigstore"])
    assert bootstrap.main([*MAKE, "--yes"]) == 2
    assert "add-client-id-to-open-id-connect-provider" in capsys.readouterr().err


def test_failed_creation_is_explained_and_repeated(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a role of somebody else under one of our names
    iam = aws.client("iam")
    iam.create_role(RoleName=f"{NAME}-hosting", AssumeRolePolicyDocument="{}")
    assert bootstrap.main([*MAKE, "--yes"]) == 1
    said = capsys.readouterr().err
    assert "is ROLLBACK_COMPLETE. What failed:" in said
    assert f"{NAME}-hosting already exists" in said
    # WHEN it is gone THEN the same command goes through
    iam.delete_role(RoleName=f"{NAME}-hosting")
    assert bootstrap.main([*MAKE, "--yes"]) == 0
    assert "could not be made the last time. What failed" in capsys.readouterr().out
    assert status(aws) == "CREATE_COMPLETE"


def test_delete_leaves_nothing(aws: LocalAws, typed: Any) -> None:
    assert bootstrap.main([*MAKE, "--yes"]) == 0
    s3 = aws.client("s3")
    bucket = f"{NAME}-models-123456789012-us-east-1"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    # GIVEN more versions than one page holds, and a delete marker
    for number in range(1002):
        s3.put_object(Bucket=bucket, Key=f"model-{number % 3}", Body=b"")
    s3.delete_object(Bucket=bucket, Key="model-0")
    typed(NAME)
    assert bootstrap.main([*QUICK, "--delete"]) == 0
    assert (status(aws), belongings(aws)) == (None, [])
    # AND a second time there is nothing to do
    assert bootstrap.main([*QUICK, "--delete"]) == 0


def test_wrong_name_deletes_nothing(
    aws: LocalAws, typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main([*MAKE, "--yes"]) == 0
    before = belongings(aws)
    typed("yes")
    assert bootstrap.main([*QUICK, "--delete"]) == 2
    assert "Nothing was deleted" in capsys.readouterr().err
    assert belongings(aws) == before


def test_what_still_runs_is_not_undermined(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main([*MAKE, "--yes"]) == 0
    role = aws.client("iam").get_role(RoleName=f"{NAME}-lambda-production")["Role"]["Arn"]
    aws.client("lambda").create_function(
        FunctionName=NAME, Role=role, Runtime="python3.13", Handler="handler.handler",
        Code={"ZipFile": function_zip()}, Tags={"project": "t5-sentiment", "name": NAME},
    )  # fmt: skip
    assert bootstrap.main([*QUICK, "--delete", "--yes"]) == 2
    said = capsys.readouterr().err
    assert f"function:{NAME}" in said
    assert "pipeline_steps.teardown" in said
    assert status(aws) == "CREATE_COMPLETE"


def function_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("handler.py", "def handler(event, context): return event")
    return buffer.getvalue()


@pytest.mark.parametrize("repository", ["octo-org", "octo-org/*", "a/b/c", "*"])
def test_wrong_repository_is_told(
    aws: LocalAws, capsys: pytest.CaptureFixture[str], repository: str
) -> None:
    assert bootstrap.main([*QUICK, "--repository", repository, "--yes"]) == 2
    assert "expected OWNER/NAME" in capsys.readouterr().err
    assert status(aws) is None


@pytest.mark.parametrize(
    ("remote", "found"),
    [
        ("https://github.com/octo-org/octo-repo.git", "octo-org/octo-repo"),
        ("https://github.com/octo-org/octo.repo", "octo-org/octo.repo"),
        ("git@github.com:octo-org/octo-repo.git", "octo-org/octo-repo"),
        ("ssh://git@github.com/octo-org/octo-repo", "octo-org/octo-repo"),
    ],
)
def test_repository_is_that_of_the_remote(
    aws: LocalAws, checkout: Checkout, remote: str, found: str
) -> None:
    checkout(remote)
    assert bootstrap.main([*QUICK, "--yes"]) == 0
    assert parameters(aws)["Repository"] == found


@pytest.mark.parametrize("remote", ["https://example.com/octo-org/octo-repo.git", None])
def test_no_remote_on_github_is_told(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], remote: str | None
) -> None:
    checkout(remote)
    assert bootstrap.main([*QUICK, "--yes"]) == 2
    assert "Pass --repository" in capsys.readouterr().err


def test_repository_with_ids_keeps_them_for_aws(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main([*QUICK, "--repository", "octo-org@12/octo-repo@34", "--yes"]) == 0
    assert parameters(aws)["Repository"] == "octo-org@12/octo-repo@34"
    said = capsys.readouterr().out
    assert "--repo octo-org/octo-repo " in said


def test_missing_credentials_are_told(
    aws: LocalAws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert bootstrap.main([*MAKE, "--yes"]) == 2
    assert "no AWS credentials were found" in capsys.readouterr().err


def test_name_is_that_of_the_profile(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--repository", "octo-org/octo-repo", "--poll-seconds", "0.05", "--yes"]
    assert bootstrap.main([*flags, "--profile", "demo"]) == 0
    assert "stack t5-sentiment-demo-bootstrap" in capsys.readouterr().out
