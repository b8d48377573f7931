"""Watch the release: alarms, a dashboard, and a log that is kept for a month.

    python -m pipeline_steps.create_alarms --profile sst2

Reads `release.json` and `api.json`. What is there and the same is left alone; an alarm that is
wanted no more is deleted.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

import contextlib
import json
import sys
from typing import Any

from botocore.exceptions import ClientError

from pipeline_steps import dashboard, step
from pipeline_steps.artefacts import Api, Release
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.errors import ApiError
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

RETENTION_DAYS = 30
PERIOD = 300  # seconds
HOUR = 3600  # seconds; CloudWatch looks back a week at most with periods of an hour or more
ERRORS = 5  # in one period: a single failure is the client's to try again
SLOW_PERIODS = 3  # in a row: one cold start is no alarm
RUNBOOK = 'See "An alarm" in docs/operations.md.'


def run(settings: Settings, clients: Clients) -> Outcome:
    """Bring log group, alarms and dashboard to the settings and the release here.

    Raises:
        ApiError: AWS refused a call; the release serves, but it is not watched as it should be.
    """
    folder = settings.environment_dir
    release, api = Release.load(folder), Api.load(folder)
    with aws_errors(ApiError, f"Creating the alarms of {settings.resource_name!r}"):
        _keep_log(settings, clients.logs, f"/aws/lambda/{api.function_name}")
        wanted = alarms(settings, api)
        changed = _bring_alarms_to(settings, clients.cloudwatch, wanted)
        drawn = _draw(settings, clients.cloudwatch, release, api)
    topic = "to the topic" if settings.watch.alarm_topic_arn else "to nobody (no ALARM_TOPIC_ARN)"
    return Outcome(
        "done" if changed or drawn else "reused",
        f"{len(wanted)} alarms {topic}, {changed} changed; dashboard {settings.resource_name}",
    )


def alarms(settings: Settings, api: Api) -> dict[str, dict[str, Any]]:
    """The alarms of an environment, by the end of their name, as PutMetricAlarm takes them."""
    function, http = {"FunctionName": api.function_name}, {"ApiId": api.api_id}
    made = {
        "5xx": _count("AWS/ApiGateway", "5xx", http),
        "model-errors": _count(dashboard.LOG_METRICS, "ModelErrors", function),
        "endpoint-throttles": _count(dashboard.LOG_METRICS, "Throttles", function),
        "function-throttles": _count("AWS/Lambda", "Throttles", function),
        "slow": _slow(http, settings.watch.max_p95_ms),
    }
    # Staging is quiet whenever nobody releases.
    if settings.watch.quiet_hours and settings.deploy.environment == "production":
        made["quiet"] = _quiet(http, settings.watch.quiet_hours)
    words = meanings(settings)
    return {
        end: alarm | {"AlarmDescription": f"{words[end]} {RUNBOOK}"} for end, alarm in made.items()
    }


def meanings(settings: Settings) -> dict[str, str]:
    """What every alarm that there can be means, and what to do first, by the end of its name."""
    minutes = PERIOD // 60
    return {
        "5xx": (
            f"Clients got {ERRORS} or more answers of 500 and above within {minutes} minutes. Ask "
            "the API once yourself; if it began with the last release, roll back."
        ),
        "model-errors": (
            f"The endpoint failed {ERRORS} times or more within {minutes} minutes: it is down, "
            "refuses the function, or answers nonsense. Look at `cause` in the function's log, "
            "then at the endpoint's log."
        ),
        "endpoint-throttles": (
            "SageMaker turns requests away: there are more at once than max_concurrency allows. "
            "Raise --max-concurrency, or find the client that sends so many."
        ),
        "function-throttles": (
            "Lambda turns requests away: the concurrency of the account, or of the function, is "
            "used up. Find the function that uses it, or ask for more in Service Quotas."
        ),
        "slow": (
            f"For {SLOW_PERIODS * minutes} minutes one answer in 20 has taken longer than "
            f"{settings.watch.max_p95_ms} ms. Cold starts: raise --min-capacity. A slow model: "
            "compare its latency on the dashboard with that of before."
        ),
        "quiet": (
            f"Nobody has asked anything for {settings.watch.quiet_hours} hours. Ask the API once "
            "yourself: if it answers, the clients cannot reach it, or have gone."
        ),
    }


def _count(namespace: str, metric: str, dimensions: dict[str, str]) -> dict[str, Any]:
    return _metric(namespace, metric, dimensions) | {
        "Statistic": "Sum",
        "Period": PERIOD,
        "EvaluationPeriods": 1,
        "Threshold": float(ERRORS),
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }


def _slow(http: dict[str, str], limit: int) -> dict[str, Any]:
    return _metric("AWS/ApiGateway", "Latency", http) | {
        "ExtendedStatistic": "p95",
        "Period": PERIOD,
        "EvaluationPeriods": SLOW_PERIODS,
        "Threshold": float(limit),
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }


def _quiet(http: dict[str, str], hours: int) -> dict[str, Any]:
    return _metric("AWS/ApiGateway", "Count", http) | {
        "Statistic": "Sum",
        "Period": HOUR,
        "EvaluationPeriods": hours,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
        # API Gateway tells nothing at all of an hour without requests.
        "TreatMissingData": "breaching",
    }


def _metric(namespace: str, metric: str, dimensions: dict[str, str]) -> dict[str, Any]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": metric, "Dimensions": named}


def _bring_alarms_to(settings: Settings, cloudwatch: Any, wanted: dict[str, dict[str, Any]]) -> int:
    """Put what is missing or different, delete what is not wanted; gives how many changed."""
    names = {end: f"{settings.resource_name}-{end}" for end in meanings(settings)}
    # Asked for by name: the prefix of production's alarms is that of staging's too.
    found = {
        alarm["AlarmName"]: alarm
        for alarm in cloudwatch.describe_alarms(AlarmNames=list(names.values()))["MetricAlarms"]
    }
    topics = [settings.watch.alarm_topic_arn] if settings.watch.alarm_topic_arn else []
    changed = 0
    for end, alarm in wanted.items():
        complete = alarm | {"ActionsEnabled": True, "AlarmActions": topics, "OKActions": topics}
        there = found.get(names[end], {})
        if any(there.get(key) != value for key, value in complete.items()):
            tags = _tags(settings)
            cloudwatch.put_metric_alarm(AlarmName=names[end], Tags=tags, **complete)
            changed += 1
    stale = [name for end, name in names.items() if name in found and end not in wanted]
    if stale:
        cloudwatch.delete_alarms(AlarmNames=stale)
    return changed + len(stale)


def _draw(settings: Settings, cloudwatch: Any, release: Release, api: Api) -> bool:
    """Put the dashboard unless it is there and the same; gives whether it was put."""
    name = settings.resource_name
    wanted = dashboard.body(release, api, cloudwatch.meta.region_name)
    if _dashboard(cloudwatch, name) == wanted:
        return False
    cloudwatch.put_dashboard(
        DashboardName=name, DashboardBody=json.dumps(wanted), Tags=_tags(settings)
    )
    return True


def _dashboard(cloudwatch: Any, name: str) -> Any:
    try:
        return json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
    except ClientError as error:
        # CloudWatch's own word for it, unlike all other services'
        if error.response["Error"]["Code"] in ("ResourceNotFound", "DashboardNotFoundError"):
            return None
        raise


def _keep_log(settings: Settings, logs: Any, group: str) -> None:
    # Lambda would make it with the first request, and keep all of it for ever.
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group, tags=settings.tags)
    logs.put_retention_policy(logGroupName=group, retentionInDays=RETENTION_DAYS)


def _tags(settings: Settings) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in settings.tags.items()]


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
