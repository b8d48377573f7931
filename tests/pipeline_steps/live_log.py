"""A release and what its function has logged, for all tests that watch it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local_aws.server import BUCKET
from pipeline_steps import releases
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.drift import Distribution
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.release_artefacts import ReleaseRecord
from pipeline_steps.settings import Settings

VERSION = "0123456789ab"
GROUP = "/aws/lambda/t5-sentiment-demo"
BASELINE = Distribution(
    {"NEGATIVE": 430, "POSITIVE": 442}, [360, 30, 20, 10, 10, 10, 10, 20, 42, 360], 104.0, 0.003
)


def ago(**time: float) -> datetime:
    """A moment before now."""
    return datetime.now(UTC) - timedelta(**time)


def released(folder: Path) -> Settings:
    """Settings of an environment that released two days ago, on a machine without its files."""
    made = settings_module.load("demo", folder, {"monitor_requests": 100})
    release_to(made)
    Clients().logs.create_log_group(logGroupName=GROUP)
    return made


def release_to(
    settings: Settings,
    version: str = VERSION,
    when: datetime | None = None,
    baseline: Distribution | None = BASELINE,
) -> None:
    """A record in the history, and the evaluation beside the tarball that it names."""
    key = f"{settings.deploy.name}/{version}/{'f' * 16}/model.tar.gz"
    released_at = (when or ago(days=2)).isoformat().replace("+00:00", "Z")
    record = ReleaseRecord(
        released_at=released_at, reason="release", model_version=version, endpoint_name="e",
        endpoint_config_name=f"e-{version}", function_version="1", tarball_sha256="f" * 64,
        model_data_url=f"s3://{BUCKET}/{key}", model_package_arn="arn", git={}, replaced=None,
    )  # fmt: skip
    evaluation = Evaluation(
        model_version=version, candidate_hash="", data_hash="", rows=872, accuracy=0.9,
        accuracy_interval=[0.88, 0.92], f1=0.9, per_class={}, confusion_matrix={}, golden=[],
        baseline=baseline,
    )  # fmt: skip
    s3 = Clients().s3
    s3.put_object(
        Bucket=BUCKET, Key=key.replace("model.tar.gz", "evaluation.json"),
        Body=evaluation.text().encode(),
    )  # fmt: skip
    releases.record(settings, Clients(), record)


def line(label: str = "POSITIVE", score: float = 0.97, **more: Any) -> dict[str, Any]:
    """A line as the function writes it."""
    known = {"Score": score, "Characters": 100, "UnknownTokenShare": 0.004}
    return {"_aws": {}, "label": label, "model_version": VERSION, **known, **more}


def log(lines: list[Any], when: datetime | None = None, stream: str = "one") -> None:
    """Put lines into the function's log, as of `when` or of an hour ago."""
    logs = Clients().logs
    moment = int((when or ago(hours=1)).timestamp() * 1000)
    streams = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    if stream not in {known["logStreamName"] for known in streams}:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [
        {"timestamp": moment, "message": told if isinstance(told, str) else json.dumps(told)}
        for told in lines
    ]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def like_the_evaluation(rows: int) -> list[dict[str, Any]]:
    """Answers that are spread as those of `BASELINE`."""
    lines = []
    for position, count in enumerate(BASELINE.positive_histogram):
        positive = (position + 0.5) / 10
        label, score = ("POSITIVE", positive) if positive > 0.5 else ("NEGATIVE", 1 - positive)
        lines += [line(label, score)] * round(count / BASELINE.rows * rows)
    return lines
