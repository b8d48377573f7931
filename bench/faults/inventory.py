"""What lies in the account: every resource of the release path, in words that can be compared.

Two clean runs leave the same words, although versions, hashes, identifiers and times differ: a
release is called by its age (`v-0` is the newest), the rest by what it is.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

Client = Callable[[str], Any]
VARYING = (
    (re.compile(r"\b\d{8}T\d{6}\.\d+Z\b"), "<time>"),
    (re.compile(r"(?<=v-)(\d+)-[0-9a-f]{8}\b"), r"\1-<hash>"),
    (re.compile(r"/[0-9a-f]{16}/"), "/<hash>/"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
)


def take(client: Client, bucket: str, name: str, versions: list[str]) -> Counter[str]:
    """Everything that belongs to `name`, each thing as one line.

    Args:
        client: gives a boto3 client of a service.
        bucket: of the models.
        name: the pipeline's name, with which all its resources' names begin.
        versions: of all models made so far, the oldest first.
    """
    ages = {version: f"v-{age}" for age, version in enumerate(reversed(versions))}
    lines = [
        *_objects(client("s3"), bucket, name),
        *_sagemaker(client("sagemaker"), name),
        *_functions(client("lambda"), name),
        *_apis(client("apigatewayv2"), name),
        *_watch(client("cloudwatch"), client("logs"), name),
        *_scaling(client("application-autoscaling"), name),
    ]
    return Counter(_comparable(line, ages).replace(name, "<name>") for line in lines)


def _comparable(line: str, ages: dict[str, str]) -> str:
    line = re.sub(r"[0-9a-f]{12}", lambda found: ages.get(found[0], found[0]), line)
    for pattern, word in VARYING:
        line = pattern.sub(word, line)
    return line


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, [])


def _objects(s3: Any, bucket: str, name: str) -> Iterator[str]:
    for item in _pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=f"{name}/"):
        if "/releases/" in item["Key"]:
            record = json.load(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"])
            yield f"record of {record['model_version']}: {record['reason']}, {item['Key']}"
        else:
            yield f"object {item['Key']}"


def _sagemaker(sagemaker: Any, name: str) -> Iterator[str]:
    for item in _pages(sagemaker, "list_endpoints", "Endpoints", NameContains=name):
        endpoint = sagemaker.describe_endpoint(EndpointName=item["EndpointName"])
        config, status = endpoint["EndpointConfigName"], endpoint["EndpointStatus"]
        yield f"endpoint {item['EndpointName']}: {config}, {status}"
    for item in _pages(sagemaker, "list_endpoint_configs", "EndpointConfigs", NameContains=name):
        yield f"endpoint configuration {item['EndpointConfigName']}"
    for item in _pages(sagemaker, "list_models", "Models", NameContains=name):
        yield f"model {item['ModelName']}"
    groups = _pages(
        sagemaker, "list_model_package_groups", "ModelPackageGroupSummaryList", NameContains=name
    )
    for group in [item["ModelPackageGroupName"] for item in groups]:
        yield f"model package group {group}"
        packages = _pages(
            sagemaker,
            "list_model_packages",
            "ModelPackageSummaryList",
            ModelPackageGroupName=group,
        )
        for item in packages:
            status = item["ModelApprovalStatus"]
            yield f"model package {item.get('ModelPackageDescription')}: {status}"


def _functions(lambda_: Any, name: str) -> Iterator[str]:
    for item in _pages(lambda_, "list_functions", "Functions"):
        function = item["FunctionName"]
        if not function.startswith(name):
            continue
        yield f"function {function}"
        versions = sorted(
            int(found["Version"])
            for found in _pages(
                lambda_, "list_versions_by_function", "Versions", FunctionName=function
            )
            if found["Version"] != "$LATEST"
        )
        ages = {str(number): age for age, number in enumerate(reversed(versions))}
        yield from (f"function {function} version, age {age}" for age in ages.values())
        for alias in lambda_.list_aliases(FunctionName=function)["Aliases"]:
            age = ages.get(alias["FunctionVersion"])
            yield f"function {function} alias {alias['Name']}: version of age {age}"


def _apis(apigateway: Any, name: str) -> Iterator[str]:
    for api in _pages(apigateway, "get_apis", "Items"):
        if not api["Name"].startswith(name):
            continue
        identifier = api["ApiId"]
        yield f"API {api['Name']}"
        for _ in apigateway.get_integrations(ApiId=identifier)["Items"]:
            yield f"API {api['Name']} integration"
        for route in apigateway.get_routes(ApiId=identifier)["Items"]:
            yield f"API {api['Name']} route {route['RouteKey']}: {route['AuthorizationType']}"
        for item in apigateway.get_authorizers(ApiId=identifier)["Items"]:
            yield f"API {api['Name']} authorizer {item['Name']}: {item['JwtConfiguration']}"
        for stage in apigateway.get_stages(ApiId=identifier)["Items"]:
            limits = stage["DefaultRouteSettings"].get("ThrottlingRateLimit")
            yield f"API {api['Name']} stage {stage['StageName']}: {limits} a second"
        yield f"API {api['Name']} origins {api.get('CorsConfiguration', {}).get('AllowOrigins')}"


def _watch(cloudwatch: Any, logs: Any, name: str) -> Iterator[str]:
    for alarm in _pages(cloudwatch, "describe_alarms", "MetricAlarms", AlarmNamePrefix=name):
        yield f"alarm {alarm['AlarmName']}"
    for board in _pages(
        cloudwatch, "list_dashboards", "DashboardEntries", DashboardNamePrefix=name
    ):
        yield f"dashboard {board['DashboardName']}"
    for group in _pages(logs, "describe_log_groups", "logGroups"):
        if name in group["logGroupName"]:
            yield f"log group {group['logGroupName']}"


def _scaling(autoscaling: Any, name: str) -> Iterator[str]:
    for target in _pages(
        autoscaling, "describe_scalable_targets", "ScalableTargets", ServiceNamespace="sagemaker"
    ):
        if name in target["ResourceId"]:
            low, high = target["MinCapacity"], target["MaxCapacity"]
            yield f"scalable target {target['ResourceId']}: {low} to {high}"
    for policy in _pages(
        autoscaling, "describe_scaling_policies", "ScalingPolicies", ServiceNamespace="sagemaker"
    ):
        if name in policy["ResourceId"]:
            yield f"scaling policy {policy['PolicyName']}"
