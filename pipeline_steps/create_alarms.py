"""Watch the release: alarms and a dashboard.

    python -m pipeline_steps.create_alarms --profile sst2

Reads `release.json` and `api.json`. What is there and the same is left alone; an alarm that is
wanted no more is deleted.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

import json
import sys
from typing import Any

from pipeline_steps import alarms, dashboard, step
from pipeline_steps.aws import Clients, aws_errors, find
from pipeline_steps.errors import ApiError
from pipeline_steps.release_artefacts import Api, Release
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


def run(settings: Settings, clients: Clients) -> Outcome:
    """Bring alarms and dashboard to the settings and the release here.

    Raises:
        ApiError: AWS refused a call; the release serves, but it is not watched as it should be.
    """
    folder = settings.environment_dir
    release, api = Release.load(folder), Api.load(folder)
    with aws_errors(ApiError, f"Creating the alarms of {settings.resource_name!r}"):
        wanted = alarms.table(settings, api)
        changed = _bring_alarms_to(settings, clients.cloudwatch, wanted)
        drawn = _draw(settings, clients.cloudwatch, release, api)
    topic = "to the topic" if settings.watch.alarm_topic_arn else "to nobody (no ALARM_TOPIC_ARN)"
    return Outcome(
        "done" if changed or drawn else "reused",
        f"{len(wanted)} alarms {topic}, {changed} changed; dashboard {settings.resource_name}",
    )


def _bring_alarms_to(settings: Settings, cloudwatch: Any, wanted: dict[str, dict[str, Any]]) -> int:
    """Put what is missing or different, delete what is not wanted; gives how many changed."""
    names = {end: f"{settings.resource_name}-{end}" for end in alarms.meanings(settings)}
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
    found = find(cloudwatch.get_dashboard, DashboardName=name)
    if found and json.loads(found["DashboardBody"]) == wanted:
        return False
    cloudwatch.put_dashboard(
        DashboardName=name, DashboardBody=json.dumps(wanted), Tags=_tags(settings)
    )
    return True


def _tags(settings: Settings) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in settings.tags.items()]


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
