"""Try a model from the shell: the one that was packaged here, or one behind an API.

    python -m pipeline_steps.predict --profile demo "I absolutely loved this movie!"
    python -m pipeline_steps.predict --api-url https://... "good" "bad" --json
    python -m pipeline_steps.predict < reviews.txt

Texts are the arguments, or else the lines of standard input. Prints a table, or with --json one
object a line, in order. What an API refuses for a moment is asked again; one with an authorizer
wants the --profile that sets it. Ends with 0, whatever the verdicts; 6 without a packaged model
that answers, 8 where the API does not.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from pipeline_steps import api_auth, golden, live_test
from pipeline_steps import settings as settings_module
from pipeline_steps.errors import ApiError, ConfigurationError, PackagingError, PipelineError
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.text_source import bounded

TEXTS_PER_REQUEST = 100  # that the API takes
BYTES_PER_REQUEST = 1_000_000  # of texts; the API takes 1 MiB in all
JSON = {"Content-Type": "application/json"}
ANSWER_SECONDS = 35  # API Gateway gives up after 30
SHOWN_CHARACTERS = 70  # of a text, in the table


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        texts = _texts(options)
        for text, answer in zip(texts, _answers(options, texts), strict=True):
            print(_shown(text, answer, options.json), flush=True)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read it, such as `head`, has enough. Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    description = __doc__.splitlines()[0] if __doc__ else None
    parser = argparse.ArgumentParser(
        prog="python -m pipeline_steps.predict", description=description
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="default: the lines of stdin")
    parser.add_argument("--api-url", help="ask this API instead of the model in the build folder")
    parser.add_argument("--profile", default="demo", help="whose model or authorizer (%(default)s)")
    parser.add_argument("--build-dir", type=Path, default=Path("build"), help="default: build")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _texts(options: argparse.Namespace) -> list[str]:
    try:
        texts = options.texts or [line.strip() for line in sys.stdin if line.strip()]
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"Standard input is not {error.encoding}: {error.reason} at byte {error.start}. "
            "Convert it first, as with iconv -f latin1 -t utf-8."
        ) from error
    if not texts or not all(text.strip() for text in texts):
        raise ConfigurationError('No text. Give one: predict "a good film", or a line a text.')
    return texts


def _answers(options: argparse.Namespace, texts: list[str]) -> Iterator[dict[str, Any]]:
    if options.api_url:
        return _of_api(options.api_url.rstrip("/"), options.profile, texts)
    return _of_model(options.build_dir / options.profile / "candidate", texts)


def _of_model(folder: Path, texts: list[str]) -> Iterator[dict[str, Any]]:
    if not folder.is_dir():
        raise PackagingError(
            f"There is no model in {folder}. Make one (make demo, or make pipeline PROFILE=...),"
            " or ask an API with --api-url."
        )
    try:
        with ServingProcess(folder) as server:
            yield from golden.ask(server, texts)
    except ServingError as error:
        raise PackagingError(f"The model in {folder} does not answer. {error}") from error


def _of_api(url: str, profile: str, texts: list[str]) -> Iterator[dict[str, Any]]:
    auth = api_auth.auth_for(settings_module.load(profile))
    with requests.Session() as session:
        session.auth = auth
        # Throttled or updating, it is asked again; where nobody listens, that is told at once.
        session.mount(url, HTTPAdapter(max_retries=live_test.RETRIES.new(connect=0)))
        for body, count in _bodies(texts):
            try:
                answer = session.post(
                    f"{url}/predict", data=body, headers=JSON, timeout=ANSWER_SECONDS
                )
                told = answer.json()
            except (requests.RequestException, ValueError) as error:
                raise ApiError(f"{url} does not answer as it should: {error}") from error
            if answer.status_code != 200:
                why = (
                    (told.get("detail") or told.get("message")) if isinstance(told, dict) else told
                )
                raise ApiError(f"{url}/predict answered {answer.status_code}: {why}")
            if not _are_predictions(told, count):
                raise ApiError(f"{url}/predict gave no predictions. Is it the URL of this API?")
            yield from told


def _bodies(texts: list[str]) -> Iterator[tuple[bytes, int]]:
    """The requests' bodies, none larger than the API takes, each with the number of its texts."""
    written = (json.dumps(text, ensure_ascii=False).encode(errors="replace") for text in texts)
    for chunk in bounded(written, TEXTS_PER_REQUEST, BYTES_PER_REQUEST):
        yield b'{"inputs": [' + b",".join(chunk) + b"]}", len(chunk)


def _are_predictions(told: Any, count: int) -> bool:
    return (
        isinstance(told, list)
        and len(told) == count
        and all(isinstance(item, dict) and {"label", "score"} <= item.keys() for item in told)
    )


def _shown(text: str, answer: dict[str, Any], as_json: bool) -> str:
    label, score = answer["label"], answer["score"]
    if as_json:
        told = {"text": text, "label": label, "score": score}
        return json.dumps(told, ensure_ascii=False)
    whole = " ".join(text.split())
    short = whole if len(whole) <= SHOWN_CHARACTERS else f"{whole[: SHOWN_CHARACTERS - 1]}…"
    return f"{label:<8}  {score:6.1%}  {short}"


if __name__ == "__main__":
    sys.exit(main())
