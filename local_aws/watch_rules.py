"""CloudWatch as strict as AWS where moto is not: what an alarm, a retention and a search may ask.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

import functools
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend

from local_aws.moto_patches import Patches

HOUR, DAY = 3600, 86_400  # seconds
RETENTIONS = {
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
}


def _check_alarm(self: CloudWatchBackend, period: int | None, **alarm: Any) -> None:
    if period is None:
        return  # of metric math, or of a composite alarm
    if bool(alarm["statistic"]) == bool(alarm.get("extended_statistic")):
        raise InvalidParameterCombination("Expected either Statistic or ExtendedStatistic")
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        raise ValidationError(f"Period {period} is not 10, 20, 30 or a multiple of 60")
    most = DAY if period < HOUR else 7 * DAY
    if period * alarm["evaluation_periods"] > most:
        raise ValidationError(
            f"Metrics cannot be checked across more than {most} seconds "
            "(EvaluationPeriods * Period) with this period"
        )
    for arn in alarm["alarm_actions"]:
        if not arn.startswith("arn:"):
            raise ValidationError(f"Invalid arn syntax: {arn}")


def _check_retention(self: LogsBackend, retention_in_days: int, **_: Any) -> None:
    if retention_in_days not in RETENTIONS:
        raise InvalidParameterException(
            constraint="Member must satisfy enum value set",
            parameter="retentionInDays",
            value=retention_in_days,
        )


def _check_search(self: LogsBackend, start_time: int, end_time: int, **_: Any) -> None:
    if start_time and end_time and start_time > end_time:
        raise InvalidParameterException("End time should be greater than or equal to start time.")


def apply(patches: Patches) -> None:
    """Install the rules."""
    moto_put = CloudWatchBackend.put_metric_alarm

    @functools.wraps(moto_put)
    def put(self: CloudWatchBackend, **alarm: Any) -> Alarm:
        if alarm["name"] in self.alarms:
            alarm["tags"] = []  # those of an alarm that is there change by TagResource only
        return moto_put(self, **alarm)

    patches.set(CloudWatchBackend, "put_metric_alarm", put)
    patches.before(CloudWatchBackend, "put_metric_alarm", _check_alarm)
    patches.before(LogsBackend, "put_retention_policy", _check_retention)
    patches.before(LogsBackend, "filter_log_events", _check_search)
