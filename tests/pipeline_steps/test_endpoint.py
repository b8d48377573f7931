"""The endpoint when AWS lets it down: Failed, stuck, or in another run's hands."""

from collections.abc import Callable

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import FakeEndpoint, sagemaker_backends

from local_aws.server import REGION
from pipeline_steps import create_api, deploy_endpoint, endpoint, smoke_test
from pipeline_steps.aws import Clients
from pipeline_steps.errors import DeployError
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


def inside(settings: Settings) -> FakeEndpoint:
    """The endpoint as the local AWS holds it, to be let down."""
    return sagemaker_backends[DEFAULT_ACCOUNT_ID][REGION].endpoints[settings.resource_name]


def serves(settings: Settings) -> str:
    found = Clients().sagemaker.describe_endpoint(EndpointName=settings.resource_name)
    assert found["EndpointStatus"] == "InService"
    return str(found["EndpointConfigName"])


@pytest.fixture
def shipped(release: Make) -> Settings:
    settings = release("aaaaaaaaaaaa")
    for step in (deploy_endpoint, create_api, smoke_test):
        step.run(settings, Clients())
    return settings


def test_failed_endpoint_gets_its_last_good_release_first(
    shipped: Settings, release: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    good = serves(shipped)
    inside(shipped).endpoint_status = "Failed"
    # WHEN the next model does not start either
    with pytest.raises(DeployError, match=f"{good}' still serves"):
        deploy_endpoint.run(release("broken000000"), Clients())
    # THEN what was good serves again
    assert serves(shipped) == good
    assert "is Failed: making it anew with" in capsys.readouterr().out
    # AND the next good model is an update of it
    deploy_endpoint.run(release("bbbbbbbbbbbb"), Clients())
    assert "bbbbbbbbbbbb" in serves(shipped)


def test_endpoint_that_fails_in_its_update_is_restored(shipped: Settings, release: Make) -> None:
    good = serves(shipped)

    class Failing(Clients):
        @property
        def sagemaker(self) -> object:  # type: ignore[override]
            client = self._client("sagemaker")
            client.meta.events.register("after-call.sagemaker.UpdateEndpoint", fail)
            return client

    def fail(**_: object) -> None:
        inside(shipped).pending_config_name = None
        inside(shipped).endpoint_status = "Failed"

    with pytest.raises(DeployError, match=f"did not take .*{good}' still serves"):
        deploy_endpoint.run(release("bbbbbbbbbbbb"), Failing())
    assert serves(shipped) == good


def test_stuck_endpoint_ends_at_the_deadline(shipped: Settings, release: Make) -> None:
    inside(shipped).endpoint_status = "Updating"
    message = r"is Updating after 1 s: .*goes on serving.*--endpoint-timeout"
    with pytest.raises(DeployError, match=message):
        deploy_endpoint.run(release("bbbbbbbbbbbb", endpoint_timeout=1), Clients())


def test_endpoint_being_deleted_is_waited_out(shipped: Settings, release: Make) -> None:
    clients = Clients()
    clients.sagemaker.delete_endpoint(EndpointName=shipped.resource_name)
    found = clients.sagemaker.describe_endpoint(EndpointName=shipped.resource_name)
    assert found["EndpointStatus"] == "Deleting"
    # WHEN a run meets it, as after one that was killed in the middle of replacing it
    deploy_endpoint.run(release("bbbbbbbbbbbb"), clients)
    assert "bbbbbbbbbbbb" in serves(shipped)


def test_endpoint_that_never_goes_is_told(shipped: Settings, release: Make) -> None:
    inside(shipped).endpoint_status = "Deleting"
    message = "is still Deleting 1 s after its deletion"
    with pytest.raises(DeployError, match=message):
        deploy_endpoint.run(release("bbbbbbbbbbbb", endpoint_timeout=1), Clients())


def test_endpoint_out_of_service_is_told(shipped: Settings) -> None:
    inside(shipped).endpoint_status = "OutOfService"
    with pytest.raises(DeployError, match=r"is OutOfService.*AWS Support"):
        deploy_endpoint.run(shipped, Clients())


def test_update_by_another_run_is_waited_for(shipped: Settings, release: Make) -> None:
    clients = Clients()
    first = serves(shipped)
    settings = release("bbbbbbbbbbbb")
    deploy_endpoint.run(settings, clients)
    second = serves(shipped)
    # GIVEN an update back, in progress
    clients.sagemaker.update_endpoint(EndpointName=shipped.resource_name, EndpointConfigName=first)
    assert endpoint.bring_to(settings, clients.sagemaker, second, first)
    assert serves(shipped) == second


def test_same_configuration_is_left_alone(shipped: Settings) -> None:
    assert not endpoint.bring_to(shipped, Clients().sagemaker, serves(shipped), None)
