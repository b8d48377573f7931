"""The container's log: one JSON object a line on stdout, which CloudWatch can search by field."""

import json
import logging
import sys
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """Writes time, level, message, what `extra={"fields": …}` holds, and a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Give back one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def start(level: str) -> None:
    """Send everything from `level` on to stdout.

    Raises:
        ValueError: `level` is no name of a level.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # What uvicorn says of its own start and end, this server says itself.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
