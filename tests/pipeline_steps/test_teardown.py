"""Teardown takes all that is ours, nothing that is not, and only when it is confirmed."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import BUCKET, LocalAws
from pipeline_steps import (
    create_api,
    deploy_endpoint,
    inventory,
    inventory_shared,
    object_versions,
    releases,
    rollback,
    smoke_test,
    teardown,
)
from pipeline_steps.artefacts import ReleaseRecord
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, DeployError, PipelineError
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings

VERSION = "0123456789ab"
KINDS = {
    "HTTP API", "function", "alarm", "dashboard", "scalable target", "endpoint",
    "endpoint configuration", "model", "log group",
}  # fmt: skip


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as most services want them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Release:
    """All that a release leaves in AWS, made in the shape that the steps give it."""

    def __init__(self, settings: Settings, clients: Clients, tarball: Path) -> None:
        self.settings, self.clients, self.name = settings, clients, settings.resource_name
        self.tags = settings.tags | {"model_version": VERSION}
        self.key = f"{settings.deploy.name}/{VERSION}/0123456789abcdef/model.tar.gz"
        clients.s3.upload_file(str(tarball), BUCKET, self.key)
        self._record("2026-01-01T00:00:00Z")
        self._record("2026-01-02T00:00:00Z")
        self._make_endpoint()
        self._make_api()
        self._make_watch()
        self._make_package()

    def _record(self, moment: str) -> None:
        made = ReleaseRecord(
            released_at=moment, reason="release", model_version=VERSION, endpoint_name=self.name,
            endpoint_config_name=f"{self.name}-{VERSION}-{moment[8:10]}", function_version="1",
            model_data_url=f"s3://{BUCKET}/{self.key}", tarball_sha256="f" * 64,
            model_package_arn="arn", git={}, replaced=None,
        )  # fmt: skip
        releases.record(self.settings, self.clients, made)

    def _make_endpoint(self) -> None:
        sagemaker, config = self.clients.sagemaker, f"{self.name}-{VERSION}-01234567"
        sagemaker.create_model(
            ModelName=config,
            PrimaryContainer={"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/{self.key}"},
            ExecutionRoleArn=self.settings.deploy.sagemaker_role_arn,
            Tags=pairs(self.tags),
        )
        serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5, "ProvisionedConcurrency": 1}
        variant = {"VariantName": "AllTraffic", "ModelName": config, "ServerlessConfig": serverless}
        sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
        sagemaker.create_endpoint(
            EndpointName=self.name, EndpointConfigName=config, Tags=pairs(self.tags)
        )
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=self.name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
        self.clients.autoscaling.register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{self.name}/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredProvisionedConcurrency",
            MinCapacity=1,
            MaxCapacity=2,
        )

    def _make_api(self) -> None:
        self.clients.lambda_.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role=self.settings.deploy.lambda_role_arn,
            Handler="handler.handler",
            Code={"ZipFile": zip_of("def handler(event, context): return {}")},
            Tags=self.settings.tags,
        )
        self.clients.apigateway.create_api(
            Name=self.name, ProtocolType="HTTP", Tags=self.settings.tags
        )

    def _make_watch(self) -> None:
        for alarm in ("errors", "latency"):
            self.clients.cloudwatch.put_metric_alarm(
                AlarmName=f"{self.name}-{alarm}", Namespace="n", MetricName="m", Statistic="Sum",
                Period=60, EvaluationPeriods=1, Threshold=1, Tags=pairs(self.settings.tags),
                ComparisonOperator="GreaterThanThreshold",
            )  # fmt: skip
        self.clients.cloudwatch.put_dashboard(
            DashboardName=self.name, DashboardBody='{"widgets": []}'
        )
        # As Lambda and SageMaker make them: without tags.
        for group in (f"/aws/lambda/{self.name}", f"/aws/sagemaker/Endpoints/{self.name}"):
            self.clients.logs.create_log_group(logGroupName=group)

    def _make_package(self) -> None:
        sagemaker, group = self.clients.sagemaker, self.settings.deploy.name
        if not sagemaker.list_model_package_groups(NameContains=group)[
            "ModelPackageGroupSummaryList"
        ]:
            tags = {key: value for key, value in self.tags.items() if key in ("project", "name")}
            sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=pairs(tags))
        container = {"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/{self.key}"}
        sagemaker.create_model_package(
            ModelPackageGroupName=group,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )


def zip_of(code: str) -> bytes:
    """A function's package of one module."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("handler.py", code)
    return buffer.getvalue()


@pytest.fixture
def clients(aws: LocalAws) -> Clients:
    """Clients of the local AWS."""
    assert aws
    return Clients()


@pytest.fixture
def settings(release: Callable[..., Settings]) -> Settings:
    """Settings of a packaged model."""
    return release(VERSION)


@pytest.fixture
def released(settings: Settings, clients: Clients) -> Callable[[Environment], Release]:
    """Make a release in an environment."""
    tarball = settings.work_dir / "model.tar.gz"
    return lambda environment: Release(settings.in_environment(environment), clients, tarball)


def kinds_left(settings: Settings, clients: Clients, environment: Environment) -> set[str]:
    """The kinds of what an environment still has."""
    found = inventory.of_environment(settings.in_environment(environment), clients)
    return {resource.kind for resource in found}


def objects(clients: Clients) -> list[str]:
    """All versions of all objects in the bucket."""
    found = clients.s3.list_object_versions(Bucket=BUCKET)
    return [item["Key"] for item in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]]


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


def test_history_goes_by_environment(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    released("staging")
    released("production")
    name = f"{settings.deploy.name}-staging"
    teardown.run(settings, clients, ("staging",), with_artefacts=True, confirmed=name)
    left = objects(clients)
    assert not [key for key in left if "/releases/staging/" in key]
    assert [key for key in left if "/releases/production/" in key]
    assert [key for key in left if key.endswith("model.tar.gz")]


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


def test_busy_endpoint_is_waited_for(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    made = released("production")
    found = clients.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")
    for target in found["ScalableTargets"]:
        where = ("ServiceNamespace", "ResourceId", "ScalableDimension")
        clients.autoscaling.deregister_scalable_target(**{key: target[key] for key in where})
    clients.sagemaker.update_endpoint(
        EndpointName=made.name, EndpointConfigName=f"{made.name}-{VERSION}-01234567"
    )
    outcome = teardown.run(settings, clients, confirmed=made.name)
    assert outcome.status == "done"


def test_failing_endpoint_is_deleted(
    settings: Settings, clients: Clients, release: Callable[..., Settings]
) -> None:
    broken = release("brokenbroken")
    clients.s3.upload_file(str(broken.work_dir / "model.tar.gz"), BUCKET, "broken.tar.gz")
    name = f"{settings.resource_name}-brokenbroken-01234567"
    clients.sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": "any", "ModelDataUrl": f"s3://{BUCKET}/broken.tar.gz"},
        ExecutionRoleArn=settings.deploy.sagemaker_role_arn,
    )
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    variant = {"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": serverless}
    clients.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    clients.sagemaker.create_endpoint(
        EndpointName=settings.resource_name, EndpointConfigName=name, Tags=pairs(settings.tags)
    )
    outcome = teardown.run(settings, clients, confirmed=settings.deploy.name)
    assert outcome.detail.startswith("3 deleted")


def test_stuck_endpoint_is_told(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = released("production")
    describe = clients.sagemaker.describe_endpoint
    monkeypatch.setattr(
        clients.sagemaker,
        "describe_endpoint",
        lambda **named: describe(**named) | {"EndpointStatus": "Updating"},
    )
    hasty = dataclasses.replace(
        settings, deploy=dataclasses.replace(settings.deploy, endpoint_timeout=1, poll_seconds=0.5)
    )
    with pytest.raises(DeployError, match=r"is Updating after 1 s: .*--endpoint-timeout"):
        teardown.run(hasty, clients, confirmed=made.name)


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


def test_unseen_environment_keeps_the_shared(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = released("staging")
    # As of a role that is bound to staging.
    clients.sagemaker.meta.events.register(
        "before-send.sagemaker.DescribeEndpoint",
        lambda request, **_: denied() if f'"{settings.deploy.name}"' in str(request.body) else None,
    )
    outcome = teardown.run(settings, clients, ("staging",), confirmed=made.name)
    assert outcome.status == "done"
    assert "may not see all of t5-sentiment-demo (DescribeEndpoint)" in capsys.readouterr().out
    assert kinds_left(settings, clients, "staging") == set()
    assert inventory_shared.registry(settings, clients)


def test_unseen_registry_stays(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = released("staging")
    # Production has nothing, and the role may not look at what both of them share.
    clients.sagemaker.meta.events.register(
        "before-send.sagemaker.ListTags",
        lambda request, **_: denied() if ":model-package-group/" in str(request.body) else None,
    )
    outcome = teardown.run(settings, clients, ("staging",), confirmed=made.name)
    assert outcome.status == "done"
    assert "may not see all of t5-sentiment-demo (ListTags)" in capsys.readouterr().out
    assert kinds_left(settings, clients, "staging") == set()
    assert inventory_shared.registry(settings, Clients())
    assert [key for key in objects(clients) if key.endswith("model.tar.gz")]


def records(clients: Clients, environment: str) -> list[dict[str, Any]]:
    """An environment's whole history in the bucket, the oldest first."""
    found = clients.s3.list_objects_v2(
        Bucket=BUCKET, Prefix=f"t5-sentiment-demo/releases/{environment}/"
    )
    keys = sorted(item["Key"] for item in found.get("Contents", []))
    bodies = [clients.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    return [json.loads(body) for body in bodies]


def test_history_ends_with_the_teardown(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    released("staging")
    made = released("production")
    for _ in range(2):
        teardown.run(settings, clients, ("production",), confirmed=made.name)
    *before, last = records(clients, "production")
    assert [record["reason"] for record in before] == ["release", "release"]
    same = ("model_version", "endpoint_config_name", "tarball_sha256", "git")
    assert [last[key] for key in same] == [before[-1][key] for key in same]
    assert last["reason"] == "teardown"
    # What was torn down is nothing to go back to, and staging's history goes on.
    assert releases.history(settings, clients) == []
    with pytest.raises(PipelineError):
        rollback.run(settings, clients)
    assert len(releases.history(settings.in_environment("staging"), clients)) == 2


def test_killed_teardown_ends_the_history(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    made = released("production")
    # GIVEN a run that was killed after its last deletion
    for resource in teardown._find(settings, clients, ("staging", "production"), False):
        resource.delete()
    assert teardown.run(settings, clients, confirmed=made.name).status == "skipped"
    assert releases.history(settings, clients) == []


def test_lost_bucket_stops_nothing(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    made = released("production")
    object_versions.delete_all(clients.s3, BUCKET, DeployError)
    clients.s3.delete_bucket(Bucket=BUCKET)
    assert teardown.run(settings, clients, confirmed=made.name).status == "done"


def test_bucket_is_needed_first(
    settings: Settings, clients: Clients, released: Callable[[Environment], Release]
) -> None:
    released("production")
    unset = dataclasses.replace(settings, deploy=dataclasses.replace(settings.deploy, bucket=""))
    with pytest.raises(ConfigurationError, match="MODEL_BUCKET"):
        teardown.run(unset, clients, confirmed=settings.deploy.name)
    assert kinds_left(settings, clients, "production") == KINDS


def test_stale_look_at_a_deleted_endpoint(
    settings: Settings,
    clients: Clients,
    released: Callable[[Environment], Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = released("production")
    describe, delete = clients.sagemaker.describe_endpoint, clients.sagemaker.delete_endpoint
    stale: list[dict[str, Any]] = []

    def deleting(**named: Any) -> None:
        stale.append(describe(**named) | {"EndpointStatus": "Failed"})
        delete(**named)

    monkeypatch.setattr(clients.sagemaker, "delete_endpoint", deleting)
    monkeypatch.setattr(
        clients.sagemaker,
        "describe_endpoint",
        lambda **named: stale.pop() if stale else describe(**named),
    )
    assert teardown.run(settings, clients, confirmed=made.name).status == "done"


def denied() -> Any:
    """An answer of AWS to a role that may not."""
    import botocore.awsrequest

    body = b'{"__type": "AccessDeniedException", "message": "no"}'
    raw = io.BytesIO(body)
    raw.stream = lambda **_: iter([body])  # type: ignore[attr-defined]
    return botocore.awsrequest.AWSResponse("http://local", 400, {}, raw)


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
