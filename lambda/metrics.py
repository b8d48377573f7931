"""One line of the log per request, of which CloudWatch makes metrics: embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
The function's name is the one dimension. Model version and request id stay properties: each value
of a dimension would be a metric of its own, and billed. Texts never come into this module.
"""

import json
import os
import time
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


def write(metrics: dict[str, float], properties: dict[str, Any]) -> None:
    """Print the line: `metrics` are named as in `UNITS`, `properties` stay in the log."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in metrics],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "FunctionName": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        **metrics,
        **properties,
    }
    print(json.dumps(line))


def of_answer(text_length: int, prediction: dict[str, Any], model_ms: float) -> dict[str, float]:
    """The metrics of an answered request; a model that counts no tokens leaves theirs out."""
    metrics = {
        "Positive": int(prediction["label"] == "POSITIVE"),
        "Negative": int(prediction["label"] == "NEGATIVE"),
        "Score": prediction["score"],
        "Characters": text_length,
        "ModelLatency": round(model_ms, 3),
    }
    tokens, unknown = prediction.get("tokens"), prediction.get("unknown_tokens")
    if isinstance(tokens, int) and isinstance(unknown, int) and tokens > 0:
        metrics["UnknownTokenShare"] = unknown / tokens
    return metrics


def of_problem(status: int) -> dict[str, float]:
    """The metrics of a request that was not answered, by the HTTP status that it got."""
    if status == 429:
        return {"Throttles": 1}
    return {"ModelErrors": 1} if status >= 500 else {"Refused": 1}
