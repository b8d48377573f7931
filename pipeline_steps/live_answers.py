"""What the live model has answered, as the function's log tells it; texts are not in there.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from typing import Any

from pipeline_steps.drift import LABELS, Answer

MOST = 10_000  # answers that are looked at
SLICES = 24  # of the time, each of which gives its first ones: all hours count, at a bounded cost
SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class AnswerLog:
    """The log group of a function, read for the answers of one model."""

    logs: Any
    group: str
    version: str

    def read(self, since: datetime, until: datetime, enough: int) -> list[Answer]:
        """The answers from `since` to `until`, or a sample of them that is even in time.

        Where there are more than `MOST`, each slice gives as many as its share, or `enough` of
        them, so that a sample is never too small to be judged because the traffic came all at once.
        """
        quota = max(MOST // SLICES, enough)
        answers: list[Answer] = []
        told = time.monotonic()
        for number, (begin, end) in enumerate(pairwise(_edges(since, until))):
            answers += islice(self._between(begin, end, quota), quota)
            if time.monotonic() - told >= SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                print(f"  read {number + 1} of {SLICES} parts of the log", flush=True)
        return answers

    def _between(self, begin: int, end: int, page: int) -> Iterator[Answer]:
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.group,
            startTime=begin,
            endTime=end - 1,  # it is included
            # A phrase, as both CloudWatch and the local one understand it; `parse` is exact.
            filterPattern=f'"{self.version}"',
            PaginationConfig={"PageSize": min(page, 10_000)},
        )
        try:
            for event in (event for found in pages for event in found["events"]):
                yield from parse(event["message"], self.version)
        except self.logs.exceptions.ResourceNotFoundException:
            return  # no log: nobody has asked anything yet


def _edges(since: datetime, until: datetime) -> list[int]:
    """Where the slices begin and end, in milliseconds since the epoch, each one once."""
    begin, end = (int(moment.timestamp() * 1000) for moment in (since, until))
    return sorted({begin + (end - begin) * number // SLICES for number in range(SLICES + 1)})


def parse(message: str, version: str) -> list[Answer]:
    """The answers that a line of the log tells; none where it is another line, or another model's.

    The names are those of lambda/metrics.py and lambda/handler.py: of several texts in a request,
    each gives a value.
    """
    try:
        line = json.loads(message)
        if line["model_version"] != version:
            return []
        labels, scores, lengths = (_several(line[n]) for n in ("label", "Score", "Characters"))
        shares = _several(line.get("UnknownTokenShare"))
        if shares == [None]:
            shares *= len(labels)
        answers = [
            Answer(label, float(score), int(characters), None if share is None else float(share))
            for label, score, characters, share in zip(labels, scores, lengths, shares, strict=True)
        ]
    except (ValueError, LookupError, TypeError):
        return []
    return [answer for answer in answers if answer.label in LABELS and 0 <= answer.score <= 1]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
