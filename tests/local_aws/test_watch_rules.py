"""What CloudWatch refuses is refused here, and in words."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

GOOD = {
    "AlarmName": "alarm",
    "Namespace": "AWS/ApiGateway",
    "MetricName": "5xx",
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 288,
    "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Period": 45}, "Period 45 is not"),
        ({"Period": 5}, "Period 5 is not"),
        ({"EvaluationPeriods": 289}, "more than 86400 seconds"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "more than 604800 seconds"),
        ({"ExtendedStatistic": "p95"}, "Expected either"),
        ({"AlarmActions": ["my-topic"]}, "Invalid arn syntax: my-topic"),
    ],
)
def test_impossible_alarm_is_refused(kit: Any, change: dict[str, Any], words: str) -> None:
    cloudwatch = kit.client("cloudwatch")
    with pytest.raises(ClientError, match=words):
        cloudwatch.put_metric_alarm(**GOOD | change)
    assert cloudwatch.describe_alarms(AlarmNames=["alarm"])["MetricAlarms"] == []


@pytest.mark.parametrize("change", [{}, {"Period": 3600, "EvaluationPeriods": 168}])
def test_longest_alarms_are_taken(kit: Any, change: dict[str, Any]) -> None:
    kit.client("cloudwatch").put_metric_alarm(**GOOD | change | {"AlarmName": "longest"})


def test_update_leaves_the_tags(kit: Any) -> None:
    cloudwatch = kit.client("cloudwatch")
    for value in ("first", "second"):
        tags = [{"Key": "made", "Value": value}]
        cloudwatch.put_metric_alarm(**GOOD | {"AlarmName": "tagged", "Tags": tags})
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["tagged"])["MetricAlarms"]
    kept = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    assert kept == [{"Key": "made", "Value": "first"}]


def test_odd_retention_is_refused(kit: Any) -> None:
    logs = kit.client("logs")
    logs.create_log_group(logGroupName="kept")
    with pytest.raises(ClientError, match="'31' at 'retentionInDays'"):
        logs.put_retention_policy(logGroupName="kept", retentionInDays=31)
    logs.put_retention_policy(logGroupName="kept", retentionInDays=30)


def test_search_back_in_time_is_refused(kit: Any) -> None:
    logs = kit.client("logs")
    logs.create_log_group(logGroupName="searched")
    with pytest.raises(ClientError, match="End time"):
        logs.filter_log_events(logGroupName="searched", startTime=2000, endTime=1999)
    assert logs.filter_log_events(logGroupName="searched", startTime=2000, endTime=2000)[
        "events"
    ] == []  # fmt: skip
