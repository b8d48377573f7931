"""The template: silent under cfn-lint, its guards in place, its policies without wildcards."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint.decode
import pytest
import yaml
from cfnlint.api import lint_file
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from pipeline_steps.bootstrap import TEMPLATE
from pipeline_steps.github_commands import ENVIRONMENTS, VARIABLES
from tests.infra.conftest import Account
from tests.infra.policy import as_list

PIPELINE = Path(__file__).parents[2] / ".github/workflows/pipeline.yml"
TEMPLATE_BYTES = 51_200  # what CloudFormation takes without a bucket in between
POLICY_CHARACTERS = 6_144  # of a managed policy, white space not counted
# What AWS knows of each action; the same data that cfn-lint checks with.
ACTIONS = json.loads(
    (Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text("utf-8")
)
# Knows a resource, but of a new kind that endpoints do not write to; its namespace is its bound.
BY_NAMESPACE = {"cloudwatch:PutMetricData"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    decoded, problems = cfnlint.decode.decode(str(TEMPLATE))
    assert problems == []
    return dict(decoded)


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, policy in of_type(template, "AWS::IAM::ManagedPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield f"{name}.{statement['Sid']}", statement


def test_linter_is_silent() -> None:
    assert lint_file(TEMPLATE) == []


def test_template_needs_no_upload() -> None:
    assert TEMPLATE.stat().st_size < TEMPLATE_BYTES


def test_bucket_is_guarded(template: dict[str, Any]) -> None:
    (bucket,) = of_type(template, "AWS::S3::Bucket").values()
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    kinds = {key for rule in rules for key in rule}
    assert {"AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"} <= kinds
    # Models in use must never expire, only what a training job left
    expiring = [rule for rule in rules if {"ExpirationInDays", "ExpirationDate"} & set(rule)]
    (prefix,) = [rule["Prefix"] for rule in expiring]
    assert prefix == {"Fn::Sub": "${Name}/training/jobs/"}
    assert "Transitions" not in kinds


def test_bucket_refuses_plain_connections(template: dict[str, Any]) -> None:
    (policy,) = of_type(template, "AWS::S3::BucketPolicy").values()
    statement, _ = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2  # the bucket, and what is in it


def test_images_are_scanned_and_final(template: dict[str, Any]) -> None:
    (repository,) = of_type(template, "AWS::ECR::Repository").values()
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    (rule,) = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    # However many are pushed, one with a tag can be gone back to
    assert rule["selection"]["tagStatus"] == "untagged"


def test_all_that_can_be_is_tagged(template: dict[str, Any]) -> None:
    wanted = {"project": "t5-sentiment", "name": {"Ref": "Name"}}
    for name, resource in template["Resources"].items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        tagging = schema.get("tagging", {})
        if tagging.get("taggable"):
            key = tagging["tagProperty"].rpartition("/")[2]
            tags = {tag["Key"]: tag["Value"] for tag in resource["Properties"][key]}
            assert wanted.items() <= tags.items(), name
            # Teardown goes by this tag, and must not find what belongs to the stack
            assert "environment" not in tags, name


def test_no_policy_grants_by_wildcard(template: dict[str, Any]) -> None:
    for name, statement in statements(template):
        for action in as_list(statement["Action"]):
            service, _, verb = action.partition(":")
            if statement["Effect"] == "Deny" and verb == "*":
                continue
            assert verb.lower() in ACTIONS[service]["Actions"], f"{name}: {action} is unknown"
            resources = ACTIONS[service]["Actions"][verb.lower()].get("Resources", [])
            if "*" in as_list(statement["Resource"]):
                held = action in BY_NAMESPACE and "Condition" in statement
                assert held or not resources, f"{name}: {action} knows resources"


def test_roles_have_our_policies_only(template: dict[str, Any]) -> None:
    ours = of_type(template, "AWS::IAM::ManagedPolicy")
    for role in of_type(template, "AWS::IAM::Role").values():
        assert "Policies" not in role
        for policy in role["ManagedPolicyArns"]:
            named = policy["Fn::If"][1] if "Fn::If" in policy else policy
            assert named["Ref"] in ours


def test_login_outlasts_a_training(template: dict[str, Any]) -> None:
    workflow = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    job = workflow["jobs"]["train"]
    (login,) = (step for step in job["steps"] if step["id"] == "aws")
    asked = login["with"]["seconds"]
    assert job["timeout-minutes"] * 60 < asked
    # AND it is allowed to the role that a training logs in as, and to no other
    allowed = {
        name: role["MaxSessionDuration"]
        for name, role in of_type(template, "AWS::IAM::Role").items()
        if "MaxSessionDuration" in role
    }
    assert allowed == {"StagingDeployRole": asked}


def test_passed_roles_are_named_with_their_service(template: dict[str, Any]) -> None:
    passing = [
        statement for _, statement in statements(template) if "iam:PassRole" in statement["Action"]
    ]
    assert len(passing) == 3
    for statement in passing:
        assert "*" not in json.dumps(statement["Resource"])
        assert set(statement["Condition"]["StringEquals"]) == {"iam:PassedToService"}


def test_policies_fit_what_iam_takes(roles: Account) -> None:
    for name, size in roles.policy_sizes.items():
        assert size < POLICY_CHARACTERS, name


def test_repository_takes_no_wildcard(template: dict[str, Any]) -> None:
    pattern = re.compile(template["Parameters"]["Repository"]["AllowedPattern"])
    for good in ("octo-org/octo-repo", "octo-org@123/octo.repo_1@456"):
        assert pattern.fullmatch(good)
    for bad in ("octo-org/*", "*/x", "octo-org", "octo-org/x:environment:y", "a/b/c", "o@*/r@1"):
        assert not pattern.fullmatch(bad)


def test_name_leaves_staging_to_staging(template: dict[str, Any]) -> None:
    pattern = re.compile(template["Parameters"]["Name"]["AllowedPattern"])
    for good in ("t5-sentiment", "t5-sentiment-sst2"):
        assert pattern.fullmatch(good)
    for bad in ("t5-staging", "t5-staging-x", "T5", "t5-", "a" * 25):
        assert not pattern.fullmatch(bad)


def test_every_output_is_a_variable(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == set(VARIABLES)
    for output, (variable, environment) in VARIABLES.items():
        named = f"{variable} of {environment}" if environment else variable
        assert template["Outputs"][output]["Description"] == named
    assert {environment for _, environment in VARIABLES.values()} == {None, *ENVIRONMENTS}
