"""Each request is one line of the log, of which CloudWatch makes metrics."""

import json
import time
from typing import Any

import jsonschema
import metrics
import model_client
import pytest

from tests.function_calls import ANSWER, PREDICTION, REQUEST_ID, Runtime, ask, get

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
METRIC = {
    "type": "object",
    "required": ["Name"],
    "additionalProperties": False,
    "properties": {
        "Name": NAME,
        "Unit": {"enum": ["Count", "Milliseconds", "None"]},
        "StorageResolution": {"enum": [1, 60]},
    },
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": NAME,
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "array",
                "items": {"type": "string", "maxLength": 250},
                "maxItems": 30,
            },
        },
        "Metrics": {"type": "array", "items": METRIC, "minItems": 1, "maxItems": 100},
    },
}
EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "items": DIRECTIVE, "minItems": 1},
            },
        }
    },
}


def line_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one line that was logged, held against the specification."""
    (text,) = capsys.readouterr().out.splitlines()
    line: dict[str, Any] = json.loads(text)
    jsonschema.validate(line, EMF)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    for metric in directive["Metrics"]:
        value = line[metric["Name"]]
        values = value if isinstance(value, list) else [value]
        assert 1 <= len(values) <= 100
        assert all(type(value) in (int, float) for value in values)
    for name in (name for dimensions in directive["Dimensions"] for name in dimensions):
        assert 1 <= len(line[name]) <= 1024
    return line


def test_answer_is_one_line_of_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    before = time.time() * 1000
    ask('{"inputs": "I absolutely loved this movie!"}')
    line = line_of(capsys)
    measured = {name: line.get(name) for name in metrics.UNITS if name in line}
    assert 0 < measured.pop("ModelLatency") < 10_000
    assert measured == {
        "Positive": 1, "Negative": 0, "Score": 0.98, "Characters": 30, "UnknownTokenShare": 0.25,
    }  # fmt: skip
    assert line["FunctionName"] == "the-function"
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "T5Sentiment"
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName"]]
    assert abs(line["_aws"]["Timestamp"] - before) < 60_000
    assert (line["status"], line["label"]) == (200, "POSITIVE")
    assert line["model_version"] == "0123456789ab"
    assert line["request_id"] == REQUEST_ID


def test_each_text_of_a_list_gives_a_value(
    runtime: type[Runtime], capsys: pytest.CaptureFixture[str]
) -> None:
    worse = PREDICTION | {"label": "NEGATIVE", "score": 0.6, "tokens": 4}
    runtime.answer = ANSWER | {"predictions": [PREDICTION, worse]}
    ask({"inputs": ["good", "so bad"]})
    line = line_of(capsys)
    assert (line["Positive"], line["Negative"]) == ([1, 0], [0, 1])
    assert (line["Score"], line["Characters"]) == ([0.98, 0.6], [4, 6])
    assert line["UnknownTokenShare"] == [0.25, 0.5]
    assert line["label"] == ["POSITIVE", "NEGATIVE"]
    assert isinstance(line["ModelLatency"], float)


def test_body_is_known_by_length_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    ask('{"inputs": "fine"}')
    first = line_of(capsys)
    ask('{"inputs": "fine"}')
    assert line_of(capsys)["body_hash"] == first["body_hash"]
    ask('{"inputs": "fine!"}')
    assert line_of(capsys)["body_hash"] != first["body_hash"]
    assert first["body_bytes"] == 18


def test_what_asks_no_model_is_a_line_without_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    get("/health")
    line = json.loads(capsys.readouterr().out)
    assert (line["route"], line["status"]) == ("GET /health", 200)
    assert not {"_aws", *metrics.UNITS} & line.keys()


@pytest.mark.parametrize(
    "counts",
    [{}, {"tokens": 0, "unknown_tokens": 0}, {"tokens": 5}, {"tokens": "5", "unknown_tokens": "0"}],
)
def test_uncounted_tokens_are_left_out(
    runtime: type[Runtime], capsys: pytest.CaptureFixture[str], counts: dict[str, Any]
) -> None:
    prediction = {"label": "NEGATIVE", "score": 1, **counts}
    runtime.answer = ANSWER | {"predictions": [prediction]}
    assert ask('{"inputs": "fine"}')["body"] == {"label": "NEGATIVE", "score": 1}
    line = line_of(capsys)
    assert "UnknownTokenShare" not in json.dumps(line)
    assert (line["Positive"], line["Negative"]) == (0, 1)


@pytest.mark.parametrize(
    ("status", "code", "metric"),
    [
        (429, "ThrottlingException", "Throttles"),
        (503, "ServiceUnavailable", "ModelErrors"),
        (424, "ModelError", "ModelErrors"),
    ],
)
def test_endpoint_error_is_a_metric(
    runtime: type[Runtime],
    capsys: pytest.CaptureFixture[str],
    status: int,
    code: str,
    metric: str,
) -> None:
    runtime.errors = [(status, code)] * model_client.TRIES
    runtime.answer = {"message": 'Received "I am a secret diary"'}
    answer = ask('{"inputs": "my secret diary"}')
    line = line_of(capsys)
    assert {name for name in metrics.UNITS if name in line} == {metric}
    assert (line["status"], line["cause"]) == (answer["statusCode"], code)
    assert "secret" not in json.dumps(line)


def test_refused_request_is_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    ask('{"inputs": {"my secret": 1}}')
    line = line_of(capsys)
    assert {name for name in metrics.UNITS if name in line} == {"Refused"}
    assert (line["status"], line["body_bytes"]) == (422, 28)
