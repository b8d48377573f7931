"""What carries tags is found by them, whichever service it belongs to."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

TAGS = {"project": "t5-sentiment", "name": "tagged", "environment": "staging"}
PAIRS = [{"Key": key, "Value": value} for key, value in TAGS.items()]


def found(kit: Any, *kinds: str, **tags: str) -> set[str]:
    """The ARNs of what has all `tags`."""
    pages = (
        kit.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            TagFilters=[{"Key": key, "Values": [value]} for key, value in tags.items()],
            ResourceTypeFilters=list(kinds),
        )
    )
    return {item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]}


@pytest.fixture(scope="module")
def tagged(kit: Any) -> dict[str, str]:
    """One tagged resource of each kind that the pipeline makes: its ARN, by kind."""
    sagemaker, logs, cloudwatch = (kit.client(s) for s in ("sagemaker", "logs", "cloudwatch"))
    arns = {"function": kit.create_function("tagged", Tags=TAGS)}
    arns["model"] = sagemaker.create_model(
        ModelName="tagged",
        PrimaryContainer={"Image": "any", "ModelDataUrl": kit.upload_model("tagged")},
        ExecutionRoleArn=kit.environment["SAGEMAKER_ROLE_ARN"],
        Tags=PAIRS,
    )["ModelArn"]
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    arns["config"] = sagemaker.create_endpoint_config(
        EndpointConfigName="tagged",
        ProductionVariants=[
            {"VariantName": "all", "ModelName": "tagged", "ServerlessConfig": serverless}
        ],
        Tags=PAIRS,
    )["EndpointConfigArn"]
    arns["endpoint"] = sagemaker.create_endpoint(
        EndpointName="tagged", EndpointConfigName="tagged", Tags=PAIRS
    )["EndpointArn"]
    arns["group"] = sagemaker.create_model_package_group(
        ModelPackageGroupName="tagged", Tags=PAIRS
    )["ModelPackageGroupArn"]
    api = kit.client("apigatewayv2").create_api(Name="tagged", ProtocolType="HTTP", Tags=TAGS)
    arns["api"] = f"arn:aws:apigateway:us-east-1::/apis/{api['ApiId']}"
    cloudwatch.put_metric_alarm(
        AlarmName="tagged", Namespace="n", MetricName="m", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", Tags=PAIRS,
    )  # fmt: skip
    arns["alarm"] = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:tagged"
    logs.create_log_group(logGroupName="/aws/lambda/tagged", tags=TAGS)
    arns["logs"] = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/tagged"
    kit.endpoint_when("tagged", "InService")
    return arns


def test_all_kinds_are_found(kit: Any, tagged: dict[str, str]) -> None:
    assert found(kit, **TAGS) == set(tagged.values())


def test_other_tags_find_nothing(kit: Any, tagged: dict[str, str]) -> None:
    assert tagged
    assert found(kit, **(TAGS | {"environment": "production"})) == set()


def test_kind_narrows_the_search(kit: Any, tagged: dict[str, str]) -> None:
    assert found(kit, "apigateway", **TAGS) == {tagged["api"]}
    assert found(kit, "sagemaker:endpoint", "lambda", **TAGS) == {
        tagged["endpoint"], tagged["function"]
    }  # fmt: skip


def test_untagged_api_is_left_out(kit: Any, tagged: dict[str, str]) -> None:
    assert tagged
    kit.client("apigatewayv2").create_api(Name="untagged", ProtocolType="HTTP")
    assert found(kit, "apigateway") == {tagged["api"]}


@pytest.mark.parametrize("kind", ["endpoint", "config", "model", "group"])
def test_added_tag_replaces_its_key(kit: Any, tagged: dict[str, str], kind: str) -> None:
    sagemaker = kit.client("sagemaker")
    for version in ("1", "2"):
        sagemaker.add_tags(
            ResourceArn=tagged[kind], Tags=[{"Key": "model_version", "Value": version}]
        )
    tags = sagemaker.list_tags(ResourceArn=tagged[kind])["Tags"]
    assert tags == [*PAIRS, {"Key": "model_version", "Value": "2"}]
    assert tagged[kind] in found(kit, model_version="2")


def test_tags_of_missing_thing_refused(kit: Any) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/nobody"
    with pytest.raises(ClientError, match="Could not find endpoint"):
        kit.client("sagemaker").add_tags(ResourceArn=arn, Tags=PAIRS)
