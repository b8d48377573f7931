"""What the container answers to whom: paths, refusals, overload, health, and nothing in the log."""

import concurrent.futures
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests
from payload import CSV, JSON, JSON_LINES

Start = Callable[..., Any]


def test_every_answer_names_the_model(running: Any) -> None:
    answers = [running.ask("fine"), running.post(b"{"), running.get("/ping"), running.get("/other")]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 404]
    assert {answer.headers["X-Model-Version"] for answer in answers} == {"0123456789ab"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/invocations", "POST"), ("PUT", "/invocations", "POST"), ("POST", "/ping", "GET")],
)
def test_wrong_method_is_405(running: Any, method: str, path: str, allowed: str) -> None:
    answer = requests.request(method, running.url + path, data=b"x", timeout=30)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed
    assert "takes" in answer.json()["error"]


def test_unacceptable_format_is_406_before_the_model_works(running: Any) -> None:
    answer = running.ask("crash", Accept="image/png")
    assert answer.status_code == 406
    assert "'image/png'" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"inputs=fine", "application/x-www-form-urlencoded", 415),
        (b'{"inputs": " "}', JSON, 422),
        (b'{"inputs": "fine", "parameters": {"explain": NaN}}', JSON, 400),
        (json.dumps({"inputs": "a" * 1_000_000}).encode(), JSON, 413),
        (json.dumps({"inputs": ["a"] * 10_000}).encode(), JSON, 413),
        (b"\xff", CSV, 400),
    ],
)
def test_bad_request_says_what_is_wrong(
    running: Any, body: bytes, content_type: str, status: int
) -> None:
    answer = running.post(body, content_type)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == JSON
    assert set(answer.json()) == {"error"}


def test_body_over_the_limit_is_told_even_to_who_sends_it_whole(start: Start) -> None:
    # Much more than the kernel's buffers hold: a server that closed at once would reset this.
    answer = start(max_bytes=1000).post(b"x" * 20_000_000)
    assert answer.status_code == 413
    assert answer.json()["error"] == "The body has 20000000 bytes, the limit is 1000."


def test_one_more_than_there_are_places_is_told_to_come_again(start: Start) -> None:
    running = start(threads=1, queue=1, at_once_bytes=0)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        accepted = [pool.submit(running.ask, "slow") for _ in range(2)]
        running.wait_until_taken(2)
        shed = running.ask("fine")
        assert running.get("/ping").status_code == 200
        assert shed.status_code == 503
        assert shed.headers["Retry-After"] == "1"
        running.handlers.go_on.release(2)
        assert [request.result(30).status_code for request in accepted] == [200, 200]
    assert running.ask("fine").status_code == 200


@pytest.mark.parametrize(
    ("text", "others", "handed_over"),
    [
        ("fine", 0, False),
        ("fine", 1, True),
        ("a long review " * 100, 0, True),
        (["a"] * 200, 0, True),
    ],
    ids=["one client, short", "two clients", "one client, long", "one client, many"],
)
def test_only_a_short_text_of_the_only_client_is_answered_at_once(
    start: Start, text: str | list[str], others: int, handed_over: bool
) -> None:
    running = start()
    idle = [running.connect() for _ in range(others)]
    # Both are accepted in their order, so the idle one is known when the request comes.
    assert running.ask(text).status_code == 200
    assert running.handlers.thread.startswith("model") is handed_over
    for connection in idle:
        connection.close()


@pytest.mark.parametrize(
    ("body", "content_type", "handed_over"),
    [(b"a\n", CSV, False), (b"a\nb\n", CSV, True), (b"a\rb", CSV, True),
     (b'"a"\n"b"', JSON_LINES, True)],
)  # fmt: skip
def test_several_records_are_handed_over(
    start: Start, body: bytes, content_type: str, handed_over: bool
) -> None:
    running = start()
    assert running.post(body, content_type).status_code == 200
    assert running.handlers.thread.startswith("model") is handed_over


def test_failure_of_ours_is_500_without_its_cause(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    running = start()
    answer = running.ask("crash")
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "The model could not answer. The cause is in the container's log."
    }
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.fields["exception"] == "RuntimeError"  # type: ignore[attr-defined]
    assert "predict_fn" in record.fields["traceback"]  # type: ignore[attr-defined]


def test_ping_asks_a_model_that_failed(start: Start) -> None:
    running = start()
    running.handlers.broken = True
    assert running.ask("fine").status_code == 500
    assert running.get("/ping").status_code == 503
    running.handlers.broken = False
    assert running.get("/ping").status_code == 200
    # A text that fails alone does not make the model ill.
    assert running.ask("crash").status_code == 500
    assert running.get("/ping").status_code == 200


@pytest.mark.parametrize("accept", [JSON, JSON_LINES])
def test_number_that_is_none_is_a_failure_of_ours(start: Start, accept: str) -> None:
    running = start()
    running.handlers.score = float("nan")
    answer = running.ask("fine", Accept=accept)
    assert answer.status_code == 500
    assert "could not answer" in answer.json()["error"]
    assert running.get("/ping").status_code == 503


def test_texts_are_never_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    running = start()
    with caplog.at_level(logging.DEBUG):
        running.ask("a private matter")
        running.ask(["crash", "a private matter"])
        running.post(b'{"a private matter": 1}')
    assert len(caplog.records) >= 4
    assert "private" not in "".join(str(vars(record)) for record in caplog.records)


def test_metrics_count_requests_and_records(start: Start) -> None:
    running = start()
    running.ask(["one", "two"])
    running.post(b"{")
    shown = running.get("/metrics")
    assert shown.headers["Content-Type"].startswith("text/plain; version=")
    lines = shown.text.splitlines()
    assert 'serving_requests_total{status="200"} 1.0' in lines
    assert 'serving_requests_total{status="400"} 1.0' in lines
    assert "serving_records_total 2.0" in lines
    assert "serving_seconds_count 2.0" in lines


def test_metrics_are_off_by_default(start: Start) -> None:
    assert start(counters=None).get("/metrics").status_code == 404


def test_batch_transform_is_told_what_suits(start: Start) -> None:
    assert start(threads=3).get("/execution-parameters").json() == {
        "MaxConcurrentTransforms": 3, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 1,
    }  # fmt: skip


@pytest.mark.parametrize("accept", [JSON_LINES, "*/*"])
def test_lines_of_a_transform_job_have_one_answer_each(running: Any, accept: str) -> None:
    records = [{"id": number, "inputs": f"review {number}"} for number in range(5000)]
    records[7]["inputs"] = ""
    lines = "".join(json.dumps(record) + "\n" for record in records)
    answer = running.post(lines.encode(), JSON_LINES, Accept=accept)
    assert answer.headers["Content-Type"] == JSON_LINES
    answers = [json.loads(line) for line in answer.text.splitlines()]
    assert len(answers) == len(records)
    assert "error" in answers[7]
    assert answers[8]["text"] == "review 8"


def test_rows_of_a_transform_job_have_one_answer_each(running: Any) -> None:
    answer = running.post(b'plain\n"with, comma"\n\n', CSV, Accept=CSV)
    assert answer.headers["Content-Type"] == CSV
    first, second, third = answer.text.splitlines()
    assert first == second == "POSITIVE,0.75,"
    assert third.startswith(',,"The text is empty')
