"""The dashboard of an environment: clients, answers and model, seen together on one page.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from typing import Any

from pipeline_steps.endpoint import VARIANT
from pipeline_steps.release_artefacts import Api, Release

LOG_METRICS = "T5Sentiment"  # the namespace in which the function's log lines become metrics
PERIOD = 300  # seconds of one point
COLUMNS, WIDTH, HEIGHT = 3, 8, 6  # of the graphs; the page is 24 wide

Line = list[Any]  # a metric with its dimensions, and how it is drawn


def body(release: Release, api: Api, region: str) -> dict[str, Any]:
    """What PutDashboard takes, before it is JSON."""
    http = ("AWS/ApiGateway", "ApiId", api.api_id)
    function = (LOG_METRICS, "FunctionName", api.function_name)
    environments = ("AWS/Lambda", "FunctionName", api.function_name)
    endpoint = ("AWS/SageMaker", "EndpointName", release.endpoint_name, "VariantName", VARIANT)
    graphs = {
        "Requests": _lines(http, "Sum", "Count"),
        "Errors": _lines(http, "Sum", "5xx", "4xx"),
        "Latency of the API, ms": _percentiles(http, "Latency"),
        "Share of labels": _lines(function, "Average", "Positive", "Negative"),
        "Score": _percentiles(function, "Score", "p5", "p50", "p95"),
        "Length, characters": _percentiles(function, "Characters"),
        "Share of unknown tokens": _lines(function, "Average", "UnknownTokenShare"),
        "Not answered": _lines(function, "Sum", "ModelErrors", "Throttles", "Refused"),
        "Model call, ms": _percentiles(function, "ModelLatency"),
        "Endpoint: model, µs": _percentiles(endpoint, "ModelLatency"),
        "Endpoint: overhead, µs": _percentiles(endpoint, "OverheadLatency"),
        "Endpoint: invocations": _lines(endpoint, "Sum", "Invocations", "Invocation5XXErrors"),
        "Concurrency: function": _lines(environments, "Maximum", "ConcurrentExecutions"),
        "Concurrency: share of the endpoint's": _lines(
            endpoint, "Maximum", "ServerlessConcurrentExecutionsUtilization"
        ),
    }
    widgets = [
        _graph(title, lines, region, position)
        for position, (title, lines) in enumerate(graphs.items())
    ]
    return {"widgets": [_text(release, api, region), *widgets]}


def _lines(source: tuple[str, ...], statistic: str, *names: str) -> list[Line]:
    return [_line(source, name, statistic, name) for name in names]


def _percentiles(source: tuple[str, ...], name: str, *which: str) -> list[Line]:
    return [_line(source, name, p, p) for p in which or ("p50", "p95", "p99")]


def _line(source: tuple[str, ...], name: str, statistic: str, label: str) -> Line:
    namespace, *dimensions = source
    return [namespace, name, *dimensions, {"stat": statistic, "label": label}]


def _graph(title: str, lines: list[Line], region: str, position: int) -> dict[str, Any]:
    row, column = divmod(position, COLUMNS)
    return {
        "type": "metric",
        "x": column * WIDTH,
        "y": HEIGHT * (row + 1),  # below the text
        "width": WIDTH,
        "height": HEIGHT,
        "properties": {
            "title": title,
            "view": "timeSeries",
            "region": region,
            "period": PERIOD,
            "metrics": lines,
            "yAxis": {"left": {"min": 0}},
        },
    }


def _text(release: Release, api: Api, region: str) -> dict[str, Any]:
    console = f"https://{region}.console.aws.amazon.com"
    watched = f"{console}/cloudwatch/home?region={region}"
    # The console wants the slashes of a log group encoded twice, with $ for the second %.
    group = f"/aws/lambda/{api.function_name}".replace("/", "$252F")
    markdown = f"""\
# {release.endpoint_name}
Model **{release.model_version}**, function version {api.function_version}, {api.api_url}

- [Log of the function]({watched}#logsV2:log-groups/log-group/{group})
- [Endpoint]({console}/sagemaker/home?region={region}#/endpoints/{release.endpoint_name})
- [Alarms]({watched}#alarmsV2:?search={release.endpoint_name})
- What to do when an alarm goes off: `docs/operations.md` of the repository
"""
    properties = {"markdown": markdown}
    size = {"x": 0, "y": 0, "width": COLUMNS * WIDTH, "height": HEIGHT}
    return {"type": "text", **size, "properties": properties}
