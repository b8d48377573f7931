"""Requests at a fixed rate, whatever the answers take, and each answer held against the right one.

A request counts from the moment at which it was due, not from when a client got round to it: one
that waits behind a slow answer has waited too (no "coordinated omission").
"""

import http.client
import json
import threading
import time
import urllib.parse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.golden import tolerance

CLIENTS = 128  # connections; a request waits when all are busy, and that counts
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Answered:
    """One request: when it was due and answered, in seconds since the first; 0 is no answer."""

    due: float
    seconds: float
    status: int
    is_wrong: bool


@dataclass
class Load:
    """What came of some seconds of requests."""

    answers: list[Answered] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        """How many answers had which status."""
        return Counter(answer.status for answer in self.answers)

    @property
    def wrong(self) -> int:
        """How many answers were given and not the model's."""
        return sum(answer.is_wrong for answer in self.answers)

    @property
    def throughput(self) -> float:
        """Predictions a second, from the first request to the last answer."""
        good = [answer for answer in self.answers if answer.status == 200]
        return len(good) / max(answer.due + answer.seconds for answer in self.answers)

    def milliseconds(self, share: float) -> float:
        """The latency that this share of the predictions did not exceed."""
        good = sorted(answer.seconds for answer in self.answers if answer.status == 200)
        return 1000 * good[min(int(share * len(good)), len(good) - 1)]


class Clients:
    """Clients of one API that know what it should say to each golden text of the evaluation."""

    def __init__(self, url: str, evaluation: Evaluation) -> None:
        self._netloc = urllib.parse.urlsplit(url).netloc
        self._golden, self._tolerance = evaluation.golden, tolerance(evaluation)
        self._local = threading.local()

    def at_rate(self, rate: float, seconds: float) -> Load:
        """Send `rate` requests a second for so long, and wait for the last answer."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            began = time.monotonic()
            waiting = []
            for number in range(int(rate * seconds)):
                due = number / rate
                time.sleep(max(0.0, began + due - time.monotonic()))
                waiting.append(pool.submit(self._ask, number, began, due))
            return Load([answer.result() for answer in waiting])

    def one_after_another(self, clients: int, seconds: float) -> Load:
        """What `clients` get that each ask again when they have an answer: the most there is."""
        began = time.monotonic()

        def keep_asking(client: int) -> list[Answered]:
            answers: list[Answered] = []
            while (due := time.monotonic() - began) < seconds:
                answers.append(self._ask(client + len(answers), began, due))
            return answers

        with ThreadPoolExecutor(clients) as pool:
            return Load([one for many in pool.map(keep_asking, range(clients)) for one in many])

    def _ask(self, number: int, began: float, due: float) -> Answered:
        wanted = self._golden[number % len(self._golden)]
        status, body = self._post(json.dumps({"inputs": wanted.text}).encode())
        seconds = time.monotonic() - began - due
        return Answered(due, seconds, status, status == 200 and not self._is(wanted, body))

    def _post(self, body: bytes) -> tuple[int, bytes]:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(
                self._netloc, timeout=TIMEOUT_SECONDS
            )
        try:
            headers = {"Content-Type": "application/json"}
            self._local.connection.request("POST", "/predict", body, headers)
            answer = self._local.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._local.connection.close()
            return 0, b""

    def _is(self, wanted: GoldenAnswer, body: bytes) -> bool:
        got = json.loads(body)
        near = abs(got["score"] - wanted.score) <= self._tolerance
        return bool(got["label"] == wanted.label and near)
