"""Ask the live API what a client would, and hold it to the evaluated answers.

Every golden answer must come back through the public URL, from the version that should serve; bad
requests must get their 4xx.
"""

import statistics
import time

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util import Retry

from pipeline_steps import golden
from pipeline_steps.errors import SmokeTestError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.release_artefacts import SmokeReport

EXAMPLE = "I absolutely loved this movie!"
ANSWER_SECONDS = 35  # API Gateway gives up after 30
RETRY_SECONDS = 1
STARTING = (429, 500, 502, 503, 504)  # what a cold or updating endpoint may answer at first
# A prediction changes nothing, so a POST may be sent again.
RETRIES = Retry(
    3, backoff_factor=0.5, status_forcelist=STARTING, allowed_methods=None, raise_on_status=False
)
BAD_REQUESTS = {  # name: (body, content type, expected status)
    "not JSON": ("{", "application/json", 400),
    "no inputs": ("{}", "application/json", 422),
    "empty text": ('{"inputs": " "}', "application/json", 422),
    "not declared as JSON": ('{"inputs": "fine"}', "text/plain", 415),
}


def hold_to(
    api_url: str,
    model_version: str,
    evaluation: Evaluation,
    timeout: float,
    auth: AuthBase | None = None,
) -> SmokeReport:
    """Test the API at `api_url`, waiting at most `timeout` seconds for its first answer.

    `auth` is what its authorizer wants to see; `evaluation` holds the golden answers.

    Raises:
        SmokeTestError: it does not answer in time, or not what was evaluated.
    """
    url, expected = f"{api_url}/predict", evaluation.golden
    with requests.Session() as session:
        session.auth = auth
        first_seconds = _wait_until_answering(session, url, model_version, timeout)
        session.mount(api_url, HTTPAdapter(max_retries=RETRIES))
        example, took = _ask(session, url, EXAMPLE, model_version)
        answers, seconds = [], [took]
        for want in expected:
            answer, took = _ask(session, url, want.text, model_version)
            answers.append(answer)
            seconds.append(took)
        difference = golden.disagreement(evaluation, answers)
        if difference:
            raise SmokeTestError(f"{url}: {difference}.")
        refused = {name: _refused(session, url, name) for name in BAD_REQUESTS}
    return SmokeReport(
        api_url=api_url,
        model_version=model_version,
        golden_answers=len(answers),
        largest_score_difference=max(
            abs(want.score - got.score) for want, got in zip(expected, answers, strict=True)
        ),
        first_answer_seconds=round(first_seconds, 4),
        median_answer_seconds=round(statistics.median(seconds), 4),
        refused_requests=refused,
        example=example,
    )


def _wait_until_answering(
    session: requests.Session, url: str, version: str, timeout: float
) -> float:
    """Wait out a cold start, and a route or an alias that is not everywhere known yet.

    Gives the seconds until the first answer of the model `version`.
    """
    started = time.monotonic()
    while True:
        try:
            answer = session.post(url, json={"inputs": EXAMPLE}, timeout=ANSWER_SECONDS)
            served = answer.headers.get("X-Model-Version")
            if answer.status_code == 200 and served == version:
                return time.monotonic() - started
            last = f"status {answer.status_code}, model version {served!r}: {answer.text[:300]}"
        except requests.RequestException as error:
            last = str(error)
        if time.monotonic() - started > timeout:
            raise SmokeTestError(
                f"{url} did not answer with model version {version!r} within {timeout} s "
                f"(--smoke-timeout); the last try gave {last}. See the logs of the function and of "
                "the endpoint."
            )
        time.sleep(RETRY_SECONDS)


def _ask(
    session: requests.Session, url: str, text: str, version: str
) -> tuple[GoldenAnswer, float]:
    started = time.monotonic()
    answer = _post(session, url, requests.Request("POST", url, json={"inputs": text}))
    seconds = time.monotonic() - started
    if answer.status_code != 200:
        raise SmokeTestError(f"{url} answered {answer.status_code} to {text!r}: {answer.text}")
    served = answer.headers.get("X-Model-Version")
    if served != version:
        raise SmokeTestError(f"{url} serves model version {served!r}, expected {version!r}.")
    try:
        body = answer.json()
        return GoldenAnswer(text, body["label"], body["score"]), seconds
    except (ValueError, KeyError, TypeError):
        raise SmokeTestError(
            f"{url} answered {answer.text!r}, expected a label and a score."
        ) from None


def _refused(session: requests.Session, url: str, name: str) -> int:
    body, content_type, expected = BAD_REQUESTS[name]
    request = requests.Request("POST", url, data=body, headers={"Content-Type": content_type})
    status = _post(session, url, request).status_code
    if status != expected:
        raise SmokeTestError(f"{url} answered {status} to a bad request ({name}), not {expected}.")
    return status


def _post(session: requests.Session, url: str, request: requests.Request) -> requests.Response:
    try:
        return session.send(session.prepare_request(request), timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        raise SmokeTestError(f"{url} does not answer: {error}") from error
