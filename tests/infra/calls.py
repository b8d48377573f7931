"""What AWS asks IAM about a call: its actions, its resources, and the keys that conditions read.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import email
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.infra.policy import Request

REGION, ACCOUNT = "us-east-1", "123456789012"


class UnknownCallError(Exception):
    """A step calls what the table does not know: add its action and its resource."""


def arn(service: str, rest: str, region: str = REGION, account: str = ACCOUNT) -> str:
    """An ARN of the test's account."""
    return f"arn:aws:{service}:{region}:{account}:{rest}"


# What each call is about. {names} are its parameters; [Names] gives one resource for each item.
RESOURCES = {
    "sagemaker": {
        **{f"{verb}Model": ["model/{ModelName}"] for verb in ("Create", "Describe", "Delete")},
        **{
            f"{verb}EndpointConfig": ["endpoint-config/{EndpointConfigName}"]
            for verb in ("Create", "Describe", "Delete")
        },
        **{
            f"{verb}Endpoint": ["endpoint/{EndpointName}", "endpoint-config/{EndpointConfigName}"]
            for verb in ("Create", "Update")
        },
        **{f"{verb}Endpoint": ["endpoint/{EndpointName}"] for verb in ("Describe", "Delete")},
        **{
            f"{verb}ModelPackageGroup": ["model-package-group/{ModelPackageGroupName}"]
            for verb in ("Create", "Describe", "Delete")
        },
        "CreateModelPackage": [
            "model-package-group/{ModelPackageGroupName}",
            "model-package/{ModelPackageGroupName}/1",
        ],
        "ListModelPackages": [
            "model-package-group/{ModelPackageGroupName}",
            "model-package/{ModelPackageGroupName}/1",
        ],
        "DescribeModelPackage": ["{ModelPackageName}"],
        "DeleteModelPackage": ["{ModelPackageName}"],
        "UpdateModelPackage": ["{ModelPackageArn}"],
        **{
            f"{verb}TrainingJob": ["training-job/{TrainingJobName}"]
            for verb in ("Create", "Describe", "Stop")
        },
        "ListTags": ["{ResourceArn}"],
        "ListModels": ["*"],
        "ListEndpointConfigs": ["*"],
        "ListEndpoints": ["*"],
        "ListModelPackageGroups": ["*"],
    },
    "application-autoscaling": {
        "RegisterScalableTarget": ["scalable-target/0123"],
        "DeregisterScalableTarget": ["scalable-target/0123"],
        "PutScalingPolicy": ["scalable-target/0123"],
        "DescribeScalableTargets": ["*"],
    },
    "cloudwatch": {
        "PutMetricAlarm": ["alarm:{AlarmName}"],
        "DescribeAlarms": ["alarm:[AlarmNames]"],
        "DeleteAlarms": ["alarm:[AlarmNames]"],
        "GetDashboard": ["dashboard/{DashboardName}"],
        "PutDashboard": ["dashboard/{DashboardName}"],
        "TagResource": ["{ResourceARN}"],
        "DeleteDashboards": ["dashboard/[DashboardNames]"],
        "ListDashboards": ["*"],
        "ListTagsForResource": ["{ResourceARN}"],
        "GetMetricData": ["*"],
        "GetMetricStatistics": ["*"],
    },
    "logs": {
        "CreateLogGroup": ["log-group:{logGroupName}"],
        "PutRetentionPolicy": ["log-group:{logGroupName}"],
        "DeleteLogGroup": ["log-group:{logGroupName}"],
        "DescribeLogGroups": ["*"],
        "ListTagsForResource": ["{resourceArn}"],
        "FilterLogEvents": ["log-group:{logGroupName}:*"],
        "DescribeLogStreams": ["log-group:{logGroupName}"],
        "GetLogEvents": ["log-group:{logGroupName}:log-stream:{logStreamName}"],
    },
    "tag": {"GetResources": ["*"]},
}
S3_ACTIONS = {
    # Without the right to list, S3 says 403 of what is not there.
    "HeadObject": ["s3:GetObject", "s3:ListBucket"],
    "GetObject": ["s3:GetObject", "s3:ListBucket"],
    "ListObjectsV2": ["s3:ListBucket"],
    **{
        name: ["s3:PutObject"]
        for name in ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
    },
    "AbortMultipartUpload": ["s3:AbortMultipartUpload"],
    "DeleteObject": ["s3:DeleteObject"],
}
LAMBDA_ACTIONS = {
    *("GetFunction", "CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"),
    *("GetFunctionConfiguration", "PublishVersion", "ListVersionsByFunction", "DeleteFunction"),
    *("GetAlias", "CreateAlias", "UpdateAlias", "DeleteAlias", "AddPermission"),
}
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
DELIVERING = [
    *("CreateLogDelivery", "DeleteLogDelivery", "DescribeResourcePolicies", "GetLogDelivery"),
    *("ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
]
PARTS = {"CreateMultipartUpload", "UploadPart"}  # calls that do not make the object yet
PASSED_TO = {
    "ExecutionRoleArn": "sagemaker.amazonaws.com",
    "RoleArn": "sagemaker.amazonaws.com",  # of a training job
    "Role": "lambda.amazonaws.com",
}
TAGGING = {"sagemaker": "AddTags", "lambda": "TagResource", "cloudwatch": "TagResource"}
TAGGING |= {"logs": "TagResource", "application-autoscaling": "TagResource"}


def needed(model: Any, parameters: dict[str, Any], tags: Mapping[str, str]) -> list[Request]:
    """What must be allowed for one call.

    Args:
        model: botocore's, of the operation.
        parameters: what it is called with.
        tags: of the HTTP API that it is about, if any.

    Raises:
        UnknownCallError: the table does not know the operation.
    """
    service, operation = model.service_model.signing_name, model.name
    services = {"s3": _of_s3, "lambda": _of_lambda, "monitoring": _of_table}
    if service == "apigateway":
        return [_of_api(model, parameters, tags), *_of_access_log(parameters)]
    if service == "ses":
        return list(_of_mail(operation, parameters))
    if (service, operation) == ("sts", "GetCallerIdentity"):
        return []  # always allowed: https://docs.aws.amazon.com/STS/latest/APIReference/
    service = {"monitoring": "cloudwatch", "tagging": "tag"}.get(service, service)
    requests = list(services.get(service, _of_table)(service, operation, parameters))
    return requests + list(_passed_and_tagged(service, requests, parameters))


def _of_table(service: str, operation: str, parameters: dict[str, Any]) -> Iterator[Request]:
    if operation not in RESOURCES.get(service, {}):
        raise UnknownCallError(f"{service}:{operation} is not in the table of tests/infra/calls.py")
    context = {
        "sagemaker:ModelApprovalStatus": parameters.get("ModelApprovalStatus"),
        "application-autoscaling:service-namespace": parameters.get("ServiceNamespace"),
        "application-autoscaling:scalable-dimension": parameters.get("ScalableDimension"),
    }
    known = {key: str(value) for key, value in context.items() if value is not None}
    for pattern in RESOURCES[service][operation]:
        for rest in _each(pattern, parameters):
            plain = rest == "*" or rest.startswith("arn:")
            region = "" if rest.startswith("dashboard/") else REGION
            resource = rest if plain else arn(service, rest, region)
            yield Request(f"{service}:{operation}", resource, known)


def _each(pattern: str, parameters: dict[str, Any]) -> Iterator[str]:
    listed = re.search(r"\[(\w+)\]", pattern)
    if listed is None:
        yield pattern.format(**parameters)
    else:
        # Without names, a call is about all there are.
        for item in parameters.get(listed[1], ["*"]):
            yield pattern.replace(listed[0], item)


def _of_s3(_: str, operation: str, parameters: dict[str, Any]) -> Iterator[Request]:
    if operation not in S3_ACTIONS:
        raise UnknownCallError(f"s3:{operation} is not in the table of tests/infra/calls.py")
    bucket = arn("s3", parameters["Bucket"], "", "")
    context = {}
    if S3_ACTIONS[operation] == ["s3:PutObject"]:
        context["s3:ObjectCreationOperation"] = str(operation not in PARTS).lower()
    if "IfNoneMatch" in parameters:
        context["s3:if-none-match"] = parameters["IfNoneMatch"]
    for action in S3_ACTIONS[operation]:
        whole = action == "s3:ListBucket"
        yield Request(action, bucket if whole else f"{bucket}/{parameters['Key']}", context)


def _of_lambda(_: str, operation: str, parameters: dict[str, Any]) -> Iterator[Request]:
    if operation not in LAMBDA_ACTIONS:
        raise UnknownCallError(f"lambda:{operation} is not in the table of tests/infra/calls.py")
    qualifier = f":{parameters['Qualifier']}" if "Qualifier" in parameters else ""
    resource = arn("lambda", f"function:{parameters['FunctionName']}{qualifier}")
    principal = parameters.get("Principal")
    context = {} if principal is None else {"lambda:Principal": principal}
    yield Request(f"lambda:{operation}", resource, context)


def _of_api(model: Any, parameters: dict[str, Any], tags: Mapping[str, str]) -> Request:
    """API Gateway's actions are HTTP's methods, and its resources are paths."""
    path = model.http["requestUri"].removeprefix("/v2")
    for name, shape in model.input_shape.members.items():
        if name in parameters:
            path = path.replace(
                "{" + shape.serialization.get("name", name) + "}", str(parameters[name])
            )
    context = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    asked = parameters.get("Tags", {})
    context |= {f"aws:RequestTag/{key}": value for key, value in asked.items()}
    method = model.http["method"]
    return Request(f"apigateway:{method}", arn("apigateway", path, account=""), context)


def _of_access_log(parameters: dict[str, Any]) -> list[Request]:
    """What turning on a stage's access log needs beside the call itself."""
    if "AccessLogSettings" not in parameters:
        return []
    return [Request(f"logs:{action}", "*") for action in DELIVERING]


def _of_mail(operation: str, parameters: dict[str, Any]) -> Iterator[Request]:
    if operation != "SendEmail":
        raise UnknownCallError(f"ses:{operation} is not in the table of tests/infra/calls.py")
    message = email.message_from_bytes(parameters["Content"]["Raw"]["Data"])
    sender = str(message["From"])
    for action in ("ses:SendEmail", "ses:SendRawEmail"):
        yield Request(action, arn("ses", f"identity/{sender}"), {"ses:FromAddress": sender})


def _passed_and_tagged(
    service: str, requests: list[Request], parameters: dict[str, Any]
) -> Iterator[Request]:
    for name, passed_to in PASSED_TO.items():
        if isinstance(parameters.get(name), str):
            yield Request("iam:PassRole", parameters[name], {"iam:PassedToService": passed_to})
    if (parameters.get("Tags") or parameters.get("tags")) and requests:
        yield Request(f"{service}:{TAGGING[service]}", requests[0].resource)
