"""Teardown takes all that is ours, nothing that is not, and only when it is confirmed."""

import io
from collections.abc import Callable

import pytest

from local_aws.server import BUCKET
from pipeline_steps import (
    create_api,
    deploy_endpoint,
    inventory_shared,
    smoke_test,
    teardown,
)
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings
from tests.pipeline_steps.released import (
    KINDS,
    VERSION,
    Release,
    denied,
    kinds_left,
    objects,
    pairs,
)


def test_everything_of_ours_goes(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    capsys: pytest.CaptureFixture[str],
) -> None:
    released("staging")
    released("production")
    name = settings.deploy.name
    outcome = teardown.run(settings, clients, with_artefacts=True, confirmed=name)
    said = capsys.readouterr().out
    assert outcome.status == "done"
    assert "nothing is left of t5-sentiment-demo (staging and production)" in outcome.detail
    for kind in KINDS | {"model package", "model package group", "artefacts"}:
        assert f"{kind} " in said
    assert f"{name}-{VERSION}-01234567" in said
    assert f"endpoint {name}-staging" in said
    assert objects(clients) == []
    assert clients.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    tagged = clients.tagging.get_resources(TagFilters=[{"Key": "project"}])
    assert tagged["ResourceTagMappingList"] == []
    again = teardown.run(settings, clients, with_artefacts=True, confirmed=name)
    assert (again.status, again.detail) == (
        "skipped",
        f"nothing to tear down of {name} (staging and production)",
    )


def test_other_environment_is_untouched(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    released("staging")
    released("production")
    before = sorted(objects(clients))
    name = f"{settings.deploy.name}"
    teardown.run(settings, clients, ("production",), confirmed=name)
    assert kinds_left(settings, clients, "production") == set()
    assert kinds_left(settings, clients, "staging") == KINDS
    assert inventory_shared.registry(settings, clients)  # staging may still need it
    assert set(before) < set(objects(clients))  # one record more
    teardown.run(settings, clients, ("staging",), with_artefacts=True, confirmed=f"{name}-staging")
    assert kinds_left(settings, clients, "staging") == set()
    assert inventory_shared.registry(settings, clients) == []
    assert objects(clients) == []


def test_foreign_things_stay(settings: Settings, clients: Clients) -> None:
    name, other = settings.deploy.name, {"project": "another", "name": settings.deploy.name}
    # All of these look like ours: by their name, or by the beginning of it.
    clients.apigateway.create_api(Name=name, ProtocolType="HTTP", Tags=other)
    clients.sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=pairs(other))
    clients.logs.create_log_group(logGroupName=f"/aws/lambda/{name}-of-another")
    clients.cloudwatch.put_dashboard(DashboardName=f"{name}-of-another", DashboardBody="{}")
    clients.cloudwatch.put_metric_alarm(
        AlarmName=f"{name}-of-another", Namespace="n", MetricName="m", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    clients.s3.put_object(Bucket=BUCKET, Key=f"{name}-of-another/model.tar.gz", Body=b"")
    outcome = teardown.run(settings, clients, with_artefacts=True, confirmed=name)
    assert outcome.status == "skipped"


def test_killed_teardown_goes_on(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    released("production")
    name = settings.deploy.name
    total = len(teardown._find(settings, clients, ("staging", "production"), True))
    for done in range(total):
        # As many deletions as before the kill, then a run that ends.
        left = teardown._find(settings, clients, ("staging", "production"), True)
        assert len(left) == total - done
        left[0].delete()
    assert teardown.run(settings, clients, confirmed=name).status == "skipped"


def test_lost_answers_do_no_harm(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    released("production")
    for resource in teardown._find(settings, clients, ("staging", "production"), True):
        resource.delete()
        resource.delete()
    assert teardown._find(settings, clients, ("staging", "production"), True) == []


def test_what_is_left_is_named(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = released("production")
    # As if another run made the alarm again the moment it was deleted.
    monkeypatch.setattr(clients.cloudwatch, "delete_alarms", lambda **_: None)
    with pytest.raises(DeployError, match=rf"(?s)this is left:.*alarm +{made.name}-errors"):
        teardown.run(settings, clients, confirmed=made.name)


def test_refusal_by_aws_is_explained(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
) -> None:
    made = released("production")
    clients.logs.meta.events.register(
        "before-send.cloudwatch-logs.DeleteLogGroup",
        lambda request, **_: denied(),
    )
    with pytest.raises(DeployError, match=r"Deleting the log group .*AccessDeniedException"):
        teardown.run(settings, clients, confirmed=made.name)


@pytest.mark.parametrize("arguments", [[], ["--confirm", "t5-sentiment"]])
def test_nothing_goes_unconfirmed(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    released("production")
    flags = ["--profile", "demo", "--build-dir", str(settings.build_dir), *arguments]
    assert teardown.main(flags) == ConfigurationError.exit_code
    said = capsys.readouterr()
    assert "endpoint configuration" in said.out  # it is listed first
    assert "Kept: s3://" in said.out
    assert "Nothing was deleted" in said.err
    assert kinds_left(settings, clients, "production") == KINDS


class Terminal(io.StringIO):
    """Somebody sits there and types."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize("typed", ["t5-sentiment-demo-staging\n", "t5-sentiment-demo\n", "\n", ""])
def test_typed_name_confirms(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
) -> None:
    made = released("staging")
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    flags = ["--build-dir", str(settings.build_dir), "--environment", "staging"]
    confirmed = typed.strip() == made.name
    assert teardown.main(flags) == (0 if confirmed else ConfigurationError.exit_code)
    assert kinds_left(settings, clients, "staging") == (set() if confirmed else KINDS)


@pytest.mark.parametrize("environment", ["all", "production"])
def test_nothing_is_said_plainly(
    settings: Settings, capsys: pytest.CaptureFixture[str], environment: str
) -> None:
    flags = ["--build-dir", str(settings.build_dir), "--environment", environment]
    assert teardown.main(flags) == 0
    assert "nothing to tear down of t5-sentiment-demo" in capsys.readouterr().out


def test_unknown_environment_is_refused(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--build-dir", str(settings.build_dir), "--environment", "prod"]
    assert teardown.main(flags) == ConfigurationError.exit_code
    assert "'prod'" in capsys.readouterr().err


def test_what_the_steps_made_goes(
    settings: Settings, clients: Clients, release: Callable[..., Settings]
) -> None:
    assert settings.deploy.approval == "evaluation"
    for version in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        made = release(version, max_capacity=2)
        for environment in teardown.ENVIRONMENTS:
            there = made.in_environment(environment)
            for run in (deploy_endpoint.run, create_api.run, smoke_test.run):
                run(there, clients)
    outcome = teardown.run(made, clients, with_artefacts=True, confirmed=made.deploy.name)
    assert outcome.status == "done"
    tagged = clients.tagging.get_resources(TagFilters=[{"Key": "project"}])
    assert tagged["ResourceTagMappingList"] == []
    assert objects(clients) == []
