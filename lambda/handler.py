"""What runs behind the HTTP API: from API Gateway (payload format 2.0) to the model and back.

    POST /predict   {"inputs": "I absolutely loved this movie!"} -> {"label": "POSITIVE", ...}
    GET /health     whether it is there; ?deep=1 asks the model
    GET /           a page to try it with; /docs and /openapi.json tell the contract

Every answer names the model's version and the request; errors are problem JSON. Each request is
one line of the log, as metrics.py writes it: length and hash of the body, never a text.
"""

import hashlib
import json
import os
import time
from typing import Any

import metrics
import model_client
import pages
import request_body
from problems import Problem
from request_body import PredictionRequest

CHECK = PredictionRequest(["Is anybody there?"], many=False, explain=False)
LOGGED_CHARACTERS = 200  # of a text, where texts are logged at all: a line has 256 kB
DEEP = {"0": False, "false": False, "1": True, "true": True}
ASKING = {"/predict": ("POST",), "/health": ("GET",)}  # what reaches the model
ALLOWED = ASKING | dict.fromkeys(pages.FILES, ("GET", "HEAD"))
Response = dict[str, Any]


def handler(event: dict[str, Any], context: Any) -> Response:
    """Answer one HTTP request; the entry point that AWS Lambda calls."""
    body = event.get("body") or ""
    known = {
        "request_id": context.aws_request_id,
        "body_bytes": len(body.encode(errors="replace")),
        "body_hash": hashlib.sha256(body.encode(errors="replace")).hexdigest()[:16],
    }
    try:
        response = _route(event, context, known)
    except Problem as problem:
        response = _refuse(problem, known)
    except Exception as error:  # noqa: BLE001 - a bug's message and trace may hold the text
        sorry = "Something went wrong here. Try again, or tell us the X-Request-Id."
        response = _refuse(Problem(500, sorry, type(error).__name__), known | {"at": _where(error)})
    response["headers"] = {
        "X-Request-Id": context.aws_request_id,
        "X-Model-Version": os.environ.get("MODEL_VERSION", "unknown"),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        **response["headers"],
    }
    return response


def _route(event: dict[str, Any], context: Any, known: dict[str, Any]) -> Response:
    request = event["requestContext"]
    method, path = request["http"]["method"], _path(event["rawPath"], request["stage"])
    allowed = ALLOWED.get(path)
    # The path itself is the client's, and so may be a text.
    known["route"] = f"{allowed[0]} {path}" if allowed else None
    if allowed is None:
        raise Problem(404, "Nothing is here. See /docs.")
    if method not in allowed:
        allow = ", ".join(allowed)
        raise Problem(405, f"This path takes {allow}.", headers={"Allow": allow})
    # An authorizer guards the routes of these paths. What comes to one by another route, such as
    # /$default/predict by $default, has passed nobody.
    if path in ASKING and event["routeKey"] != f"{method} {path}":
        raise Problem(404, "Nothing is here. See /docs.")
    if path == "/predict":
        return _predict(request_body.read(event), context, known)
    if path == "/health":
        return _health(event, context, known)
    headers, body = pages.serve(path)
    metrics.write({}, known | {"status": 200})
    return {"statusCode": 200, "headers": headers, "body": body}


def _path(raw: str, stage: str) -> str:
    """The path without the stage, which is part of it for every stage but $default."""
    prefix = f"/{stage}"
    return (raw.removeprefix(prefix) or "/") if raw.startswith(f"{prefix}/") else raw


def _predict(request: PredictionRequest, context: Any, known: dict[str, Any]) -> Response:
    began = time.perf_counter()
    answer = model_client.ask(request, lambda: context.get_remaining_time_in_millis() / 1000)
    model_ms = (time.perf_counter() - began) * 1e3
    labels = [prediction["label"] for prediction in answer.predictions]
    told = {"status": 200, "label": metrics.unwrapped(labels), "model_version": answer.version}
    if os.environ.get("LOG_TEXTS") == "true":
        told["texts"] = [text[:LOGGED_CHARACTERS] for text in request.texts]
    metrics.write(metrics.of_answer(request.texts, answer.predictions, model_ms), known | told)
    results = [_result(prediction, request.explain) for prediction in answer.predictions]
    return _json(results if request.many else results[0], answer.version)


def _result(prediction: dict[str, Any], explain: bool) -> dict[str, Any]:
    result = {"label": prediction["label"], "score": prediction["score"]}
    if not explain:
        return result
    names = ("text", "start", "end", "gate")
    tokens = [{name: token[name] for name in names} for token in prediction["explanation"]]
    return result | {"tokens": tokens}


def _health(event: dict[str, Any], context: Any, known: dict[str, Any]) -> Response:
    asked = (event.get("queryStringParameters") or {}).get("deep", "0")
    if asked not in DEEP:
        raise Problem(422, "The query parameter deep is 1 or 0.")
    version = os.environ.get("MODEL_VERSION", "unknown")
    if DEEP[asked]:
        left = context.get_remaining_time_in_millis
        version = model_client.ask(CHECK, lambda: left() / 1000).version
    metrics.write({}, known | {"status": 200})
    return _json({"status": "ok", "model_version": version, "deep": DEEP[asked]}, version)


def _json(body: Any, version: str) -> Response:
    headers = {"Content-Type": "application/json", "X-Model-Version": version}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(body)}


def _refuse(problem: Problem, known: dict[str, Any]) -> Response:
    told = {"status": problem.status, "detail": str(problem), "cause": problem.cause}
    metrics.write(metrics.of_problem(problem.status), known | told)
    body = json.dumps(problem.body())
    return {"statusCode": problem.status, "headers": problem.headers, "body": body}


def _where(error: Exception) -> str:
    """File and line that an error came from."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
