"""What a teardown keeps: the history with an end to it, and what the role in use may not see."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.server import BUCKET
from pipeline_steps import (
    inventory_shared,
    object_versions,
    releases,
    rollback,
    teardown,
)
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, DeployError, PipelineError
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings
from tests.pipeline_steps.released import (
    KINDS,
    Release,
    denied,
    kinds_left,
    objects,
)


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
