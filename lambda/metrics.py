"""One line of the log per request, of which CloudWatch makes metrics: embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
The function's name is the one dimension. Model version and request id stay properties: each value
of a dimension would be a metric of its own, and billed. Texts never come into this module.
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

NAMESPACE = "T5Sentiment"
# The average of Positive is the share of that label.
UNITS = {
    "Positive": "Count",
    "Negative": "Count",
    "Score": "None",
    "Characters": "Count",
    "UnknownTokenShare": "None",
    "ModelLatency": "Milliseconds",
    "Refused": "Count",
    "ModelErrors": "Count",
    "Throttles": "Count",
}
# Of several texts, each gives a value; the format allows for as many as a request may bring.
Value = float | list[float]


def write(metrics: Mapping[str, Value], properties: dict[str, Any]) -> None:
    """Print the line: `metrics` are named as in `UNITS`, `properties` stay in the log."""
    line: dict[str, Any] = {"FunctionName": os.environ["AWS_LAMBDA_FUNCTION_NAME"]}
    if metrics:
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [["FunctionName"]],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in metrics],
        }
        line["_aws"] = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps(line | metrics | properties))


def of_answer(
    texts: list[str], predictions: list[dict[str, Any]], model_ms: float
) -> dict[str, Value]:
    """The metrics of an answered request; a model that counts no tokens leaves theirs out."""
    labels = [prediction["label"] for prediction in predictions]
    columns: dict[str, list[float]] = {
        "Positive": [int(label == "POSITIVE") for label in labels],
        "Negative": [int(label == "NEGATIVE") for label in labels],
        "Score": [prediction["score"] for prediction in predictions],
        "Characters": [len(text) for text in texts],
    }
    shares = [_unknown_share(prediction) for prediction in predictions]
    if None not in shares:
        columns["UnknownTokenShare"] = [share for share in shares if share is not None]
    measured: dict[str, Value] = {name: unwrapped(values) for name, values in columns.items()}
    return measured | {"ModelLatency": round(model_ms, 3)}


def unwrapped(values: list[Any]) -> Any:
    """The value itself where there is but one."""
    return values[0] if len(values) == 1 else values


def _unknown_share(prediction: dict[str, Any]) -> float | None:
    tokens, unknown = prediction.get("tokens"), prediction.get("unknown_tokens")
    if isinstance(tokens, int) and isinstance(unknown, int) and tokens > 0:
        return unknown / tokens
    return None


def of_problem(status: int) -> dict[str, float]:
    """The metrics of a request that was not answered, by the HTTP status that it got."""
    if status == 429:
        return {"Throttles": 1}
    return {"ModelErrors": 1} if status >= 500 else {"Refused": 1}
