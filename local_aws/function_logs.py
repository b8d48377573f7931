"""What functions and training jobs print and APIs note, as CloudWatch Logs keeps it.

A function has a group, and each of its environments a stream; all jobs share a group.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

import pickle
import threading
import time
import uuid
from typing import Any, Self

from moto.awslambda.models import LambdaFunction
from moto.core.utils import utcnow
from moto.logs.models import LogEvent, LogGroup, LogsBackend, logs_backends

MOST_EVENTS = 5000  # of a group, the newest; AWS keeps all for as long as the retention says
SPARE = 500  # that are let go at once, so that not every line has to look for the oldest
MOST_BYTES = 256 * 1024  # of an event; a longer line becomes several


class _Event(LogEvent):
    """An event that is gone when its stream lets it go; moto keeps a list of all it ever made."""

    def __new__(cls, *_: Any) -> Self:
        return object.__new__(cls)


class _Events(list[LogEvent]):
    """The events of a stream; a snapshot takes them as one lump, which spares it thousands."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (pickle.dumps([vars(event) for event in self]),)


def _unpack(lump: bytes) -> _Events:
    events = _Events()
    for attributes in pickle.loads(lump):  # noqa: S301 - part of the snapshot, which is our own
        event = _Event.__new__(_Event)
        vars(event).update(attributes)
        events.append(event)
    return events


def stream_name(version: str) -> str:
    """A new stream's name, as Lambda makes it up."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version}]{uuid.uuid4().hex}"


class FunctionLogs:
    """Takes lines of output and keeps the newest of each group."""

    def __init__(self, gate: threading.RLock) -> None:
        self._gate = gate

    def write(self, function: LambdaFunction, stream: str, line: bytes) -> None:
        """Append one line that an environment of `function` has printed."""
        backend = logs_backends[function.account_id][function.region]
        self.append(backend, function.logs_group_name, stream, line)

    def append(self, backend: LogsBackend, name: str, stream: str, line: bytes) -> None:
        """Append one line to a stream of the group `name`."""
        message = line.decode("utf-8", "replace").rstrip("\n")
        now = int(time.time() * 1000)
        # moto's backends know no locks, and a snapshot must see them at rest.
        with self._gate:
            # Made on the first line, and again by the next one after somebody has deleted it.
            backend.ensure_log_group(name)
            group = backend.groups[name]
            if stream not in group.streams:
                group.create_log_stream(stream)
                group.streams[stream].events = _Events()
            group.streams[stream].events.append(_Event(now, {"timestamp": now, "message": message}))
            group.streams[stream].stored_bytes += len(message)
            group.streams[stream].last_ingestion_time = utcnow()
            self._let_go(group)

    @staticmethod
    def _let_go(group: LogGroup) -> None:
        streams = list(group.streams.values())
        count = sum(len(stream.events) for stream in streams)
        if count < MOST_EVENTS + SPARE:
            return
        times = sorted(event.timestamp for stream in streams for event in stream.events)
        oldest = times[-MOST_EVENTS]
        for stream in streams:
            stream.events = _Events(event for event in stream.events if event.timestamp >= oldest)
            if not stream.events:
                del group.streams[stream.log_stream_name]
