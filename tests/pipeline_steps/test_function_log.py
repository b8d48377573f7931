"""The function's log group is there, tagged, and keeps a month, however often it is asked for."""

from pathlib import Path

from local_aws.server import LocalAws
from pipeline_steps import function_log
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients


def test_log_is_kept_for_a_month(aws: LocalAws, tmp_path: Path) -> None:
    settings, logs = settings_module.load("demo", tmp_path), Clients().logs
    function_log.keep(settings, logs)
    logs.delete_retention_policy(logGroupName=function_log.group_name(settings))
    function_log.keep(settings, logs)
    (group,) = logs.describe_log_groups()["logGroups"]
    assert group["logGroupName"] == f"/aws/lambda/{settings.resource_name}"
    assert group["retentionInDays"] == 30
    tags = logs.list_tags_log_group(logGroupName=group["logGroupName"])["tags"]
    assert tags == settings.tags
