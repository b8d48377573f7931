"""Alarms and dashboard: made once, repaired when changed, and gone when not wanted."""

import dataclasses
import json
from typing import Any

import metrics
import pytest

from local_aws.server import LocalAws
from pipeline_steps import alarms, create_alarms
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ApiError, ConfigurationError
from pipeline_steps.release_artefacts import Api, Release
from pipeline_steps.settings import Settings

TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
ALWAYS = {"5xx", "model-errors", "endpoint-throttles", "function-throttles", "slow"}


@pytest.fixture
def settings(aws: LocalAws, tmp_path: Any) -> Settings:
    """Settings of a release, as create_api leaves its files."""
    made = settings_module.load("demo", tmp_path / "build", {"alarm_topic_arn": TOPIC})
    for environment in ("production", "staging"):
        there = made.in_environment(environment)
        name = there.resource_name
        Release("aaaaaaaaaaaa", name, "config", "s3://b/k", "f" * 64, "arn").save(
            there.environment_dir
        )
        Api("abc123", "https://abc123.example", name, "1", name).save(there.environment_dir)
    return made


def watched(settings: Settings, **changes: Any) -> Settings:
    return dataclasses.replace(settings, watch=dataclasses.replace(settings.watch, **changes))


def alarms_of(settings: Settings) -> dict[str, Any]:
    """The environment's alarms, by the end of their name."""
    start = f"{settings.resource_name}-"
    found = Clients().cloudwatch.describe_alarms(AlarmNamePrefix=start)["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix(start): alarm for alarm in found}


def test_alarms_say_what_and_whom(settings: Settings) -> None:
    assert create_alarms.run(settings, Clients()).status == "done"
    found = alarms_of(settings)
    assert set(found) == ALWAYS
    for alarm in found.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
        assert "docs/operations.md" in alarm["AlarmDescription"]
        assert len(alarm["AlarmDescription"]) <= 1024
        assert alarm["ActionsEnabled"]
        # CloudWatch's limit for periods below an hour
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= 86_400
        tags = Clients().cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == settings.tags
    slow = found["slow"]
    assert (slow["ExtendedStatistic"], slow["Threshold"]) == ("p95", settings.watch.max_p95_ms)
    assert slow["Dimensions"] == [{"Name": "ApiId", "Value": "abc123"}]


def test_second_run_changes_nothing(settings: Settings) -> None:
    create_alarms.run(settings, Clients())
    before = alarms_of(settings)
    outcome = create_alarms.run(settings, Clients())
    assert outcome.status == "reused"
    assert "5 alarms to the topic, 0 changed" in outcome.detail
    assert alarms_of(settings) == before


def test_change_by_hand_is_undone(settings: Settings) -> None:
    create_alarms.run(settings, Clients())
    cloudwatch = Clients().cloudwatch
    name = settings.resource_name
    cloudwatch.disable_alarm_actions(AlarmNames=[f"{name}-slow"])
    cloudwatch.delete_alarms(AlarmNames=[f"{name}-5xx"])
    assert "2 changed" in create_alarms.run(settings, Clients()).detail
    assert alarms_of(settings)["slow"]["ActionsEnabled"]
    assert set(alarms_of(settings)) == ALWAYS


def test_new_threshold_changes_its_alarm(settings: Settings) -> None:
    create_alarms.run(settings, Clients())
    outcome = create_alarms.run(watched(settings, max_p95_ms=800), Clients())
    assert (outcome.status, alarms_of(settings)["slow"]["Threshold"]) == ("done", 800)
    assert "1 changed" in outcome.detail
    assert "800 ms" in alarms_of(settings)["slow"]["AlarmDescription"]


def test_quiet_alarm_comes_and_goes(settings: Settings) -> None:
    create_alarms.run(watched(settings, quiet_hours=24), Clients())
    quiet = alarms_of(settings)["quiet"]
    assert quiet["TreatMissingData"] == "breaching"
    assert quiet["Period"] * quiet["EvaluationPeriods"] == 86_400
    assert create_alarms.run(settings, Clients()).status == "done"
    assert set(alarms_of(settings)) == ALWAYS


def test_real_profile_watches_for_silence(settings: Settings) -> None:
    real = settings_module.load("sst2", settings.build_dir)
    assert "quiet" in alarms.wanted(real)
    assert "quiet" not in alarms.wanted(real.in_environment("staging"))


def test_environments_leave_each_other_alone(settings: Settings) -> None:
    staging = watched(settings.in_environment("staging"), quiet_hours=2)
    create_alarms.run(watched(settings, quiet_hours=2), Clients())
    create_alarms.run(staging, Clients())
    # Staging rests between two releases, and that is no alarm.
    assert set(alarms_of(staging)) == ALWAYS
    create_alarms.run(settings, Clients())
    assert set(alarms_of(staging)) == ALWAYS
    names = {entry["DashboardName"] for entry in Clients().cloudwatch.list_dashboards()[
        "DashboardEntries"
    ]}  # fmt: skip
    assert names == {settings.resource_name, staging.resource_name}


def test_dashboard_follows_the_release(settings: Settings) -> None:
    create_alarms.run(settings, Clients())
    release = Release.load(settings.environment_dir)
    dataclasses.replace(release, model_version="bbbbbbbbbbbb").save(settings.environment_dir)
    outcome = create_alarms.run(settings, Clients())
    assert outcome.status == "done"
    assert "0 changed" in outcome.detail
    shown = Clients().cloudwatch.get_dashboard(DashboardName=settings.resource_name)
    widgets = json.loads(shown["DashboardBody"])["widgets"]
    assert "bbbbbbbbbbbb" in widgets[0]["properties"]["markdown"]
    assert "https://abc123.example" in widgets[0]["properties"]["markdown"]


def test_dashboard_shows_what_is_measured(settings: Settings) -> None:
    create_alarms.run(settings, Clients())
    shown = Clients().cloudwatch.get_dashboard(DashboardName=settings.resource_name)
    widgets = json.loads(shown["DashboardBody"])["widgets"]
    lines = [line for widget in widgets[1:] for line in widget["properties"]["metrics"]]
    ours = {line[1] for line in lines if line[0] == "T5Sentiment"}
    assert ours == set(metrics.UNITS)
    # Each widget has its place, within the width of the page.
    places = {(widget["x"], widget["y"]) for widget in widgets}
    assert len(places) == len(widgets)
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)


def test_without_topic_nobody_hears(settings: Settings) -> None:
    outcome = create_alarms.run(watched(settings, alarm_topic_arn=""), Clients())
    assert "to nobody (no ALARM_TOPIC_ARN)" in outcome.detail
    assert alarms_of(settings)["5xx"]["AlarmActions"] == []


def test_refused_alarm_is_an_api_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "SLOW_PERIODS", -1)
    with pytest.raises(ApiError, match=r"(?s)Creating the alarms of 't5-.*EvaluationPeriods"):
        create_alarms.run(settings, Clients())


def test_release_must_be_there(aws: LocalAws, tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="deploy_endpoint"):
        create_alarms.run(settings_module.load("demo", tmp_path / "build"), Clients())
