"""What GET /metrics shows where SERVING_METRICS=1: counts and times for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Counters:
    """The counts of one server, and its process's memory and processor time."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "serving_requests", "Requests to /invocations", ["status"], registry=self._registry
        )
        self._records = Counter(
            "serving_records", "Texts that were answered", registry=self._registry
        )
        self._seconds = Histogram(
            "serving_seconds",
            "From the first byte of a request's body to the last of its answer",
            buckets=SECONDS,
            registry=self._registry,
        )

    def count(self, status: int, seconds: float, records: int) -> None:
        """Count one request to /invocations."""
        self._requests.labels(str(status)).inc()
        self._records.inc(records)
        self._seconds.observe(seconds)

    def show(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)
