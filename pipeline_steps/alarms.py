"""The alarms of an environment: what each looks at, what it means, and what to do first.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from typing import Any

from pipeline_steps.dashboard import LOG_METRICS
from pipeline_steps.release_artefacts import Api
from pipeline_steps.settings import Settings

PERIOD = 300  # seconds
HOUR = 3600  # seconds; CloudWatch looks back a week at most with periods of an hour or more
ERRORS = 5  # in one period: a single failure is the client's to try again
SLOW_PERIODS = 3  # in a row: one cold start is no alarm
RUNBOOK = 'See "An alarm" in docs/operations.md.'


def wanted(settings: Settings) -> list[str]:
    """The alarms that these settings ask for, each by the end of its name."""
    # Staging is quiet whenever nobody releases.
    quiet = settings.watch.quiet_hours and settings.deploy.environment == "production"
    return [end for end in meanings(settings) if end != "quiet" or quiet]


def table(settings: Settings, api: Api) -> dict[str, dict[str, Any]]:
    """The wanted alarms, by the end of their name, as PutMetricAlarm takes them."""
    function, http = {"FunctionName": api.function_name}, {"ApiId": api.api_id}
    made = {
        "5xx": _count("AWS/ApiGateway", "5xx", http),
        "model-errors": _count(LOG_METRICS, "ModelErrors", function),
        "endpoint-throttles": _count(LOG_METRICS, "Throttles", function),
        "function-throttles": _count("AWS/Lambda", "Throttles", function),
        "slow": _slow(http, settings.watch.max_p95_ms),
        "quiet": _quiet(http, settings.watch.quiet_hours),
    }
    words = meanings(settings)
    return {
        end: made[end] | {"AlarmDescription": f"{words[end]} {RUNBOOK}"} for end in wanted(settings)
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
