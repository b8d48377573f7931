"""The log of a SageMaker training job, line by line, as CloudWatch gets it."""

from typing import Any

from pipeline_steps.aws import find

GROUP = "/aws/sagemaker/TrainingJobs"


class JobLog:
    """Prints what a job has said since it was last asked."""

    def __init__(self, logs: Any, job: str) -> None:
        self._logs, self._job = logs, job
        self._tokens: dict[str, str] = {}

    def show(self) -> None:
        """Print the new lines, each behind a bar: none can pass for a command to a GitHub job."""
        streams = find(
            self._logs.describe_log_streams,
            logGroupName=GROUP,
            logStreamNamePrefix=f"{self._job}/",
        )
        for stream in (streams or {}).get("logStreams", []):
            self._show_stream(stream["logStreamName"])

    def _show_stream(self, name: str) -> None:
        while True:
            last = self._tokens.get(name)
            page = self._logs.get_log_events(
                logGroupName=GROUP,
                logStreamName=name,
                startFromHead=True,
                **({"nextToken": last} if last else {}),
            )
            for event in page["events"]:
                for line in event["message"].splitlines():
                    print(f"  | {line}", flush=True)
            self._tokens[name] = page["nextForwardToken"]
            if self._tokens[name] == last or not page["events"]:
                return
