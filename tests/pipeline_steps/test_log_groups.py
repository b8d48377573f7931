"""The log groups are there, tagged, and keep a month, however often they are asked for."""

from pathlib import Path

from local_aws.server import LocalAws
from pipeline_steps import log_groups
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients


def test_logs_are_kept_for_a_month(aws: LocalAws, tmp_path: Path) -> None:
    settings, logs = settings_module.load("demo", tmp_path), Clients().logs
    name = settings.resource_name
    log_groups.keep(settings, logs)
    logs.delete_retention_policy(logGroupName=log_groups.of_function(name))
    log_groups.keep(settings, logs)
    groups = logs.describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == [
        f"/aws/lambda/{name}",
        f"/aws/vendedlogs/http-api/{name}",
    ]
    for group in groups:
        assert group["retentionInDays"] == 30
        tags = logs.list_tags_log_group(logGroupName=group["logGroupName"])["tags"]
        assert tags == settings.tags
