"""What functions print, as CloudWatch Logs keeps it: a group a function, a stream an environment.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

import threading
import time
import uuid

from moto.awslambda.models import LambdaFunction
from moto.logs.models import LogEvent, LogGroup, LogStream, logs_backends

MOST_EVENTS = 5000  # of a group, the newest: they are part of each snapshot, 3 MB at most
SPARE = 500  # that are let go at once, so that not every line has to look for the oldest
MOST_BYTES = 256 * 1024  # of an event; a longer line becomes several


def stream_name(version: str) -> str:
    """A new stream's name, as Lambda makes it up."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version}]{uuid.uuid4().hex}"


class FunctionLogs:
    """Takes lines of output and keeps the newest of each group."""

    def __init__(self, gate: threading.RLock) -> None:
        self._gate = gate

    def write(self, function: LambdaFunction, stream: str, line: bytes) -> None:
        """Append one line that an environment of `function` has printed."""
        message = line.decode("utf-8", "replace").rstrip("\n")
        event = {"timestamp": int(time.time() * 1000), "message": message}
        # moto's backends know no locks, and a snapshot must see them at rest.
        with self._gate:
            group = self._group(function)
            if stream not in group.streams:
                group.create_log_stream(stream)
            group.put_log_events(stream, [event])
            self._let_go(group)

    @staticmethod
    def _group(function: LambdaFunction) -> LogGroup:
        backend = logs_backends[function.account_id][function.region]
        name = function.logs_group_name
        # Made on the first line, and again by the next one after somebody has deleted it.
        backend.ensure_log_group(name)
        return backend.groups[name]

    @staticmethod
    def _let_go(group: LogGroup) -> None:
        count = sum(len(stream.events) for stream in group.streams.values())
        if count < MOST_EVENTS + SPARE:
            return
        events = [(event, stream) for stream in group.streams.values() for event in stream.events]
        events.sort(key=lambda pair: pair[0].timestamp)
        kept: dict[str, list[LogEvent]] = {}
        for event, stream in events[-MOST_EVENTS:]:
            kept.setdefault(stream.log_stream_name, []).append(event)
        for stream in list(group.streams.values()):
            _keep(group, stream, kept.get(stream.log_stream_name, []))


def _keep(group: LogGroup, stream: LogStream, events: list[LogEvent]) -> None:
    if events:
        stream.events = events
        stream.stored_bytes = sum(len(event.message) for event in events)
    else:
        del group.streams[stream.log_stream_name]
