"""What can befall a release beyond a single failed call, each told by what the run did about it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceModel
from moto.sagemaker.models import sagemaker_backends

from bench.faults.answers import error
from bench.faults.injection import Answer, Call, Injector
from bench.faults.matrix import version_at
from bench.faults.poller import Poller
from bench.faults.world import SHIP, Site, World
from local_aws.sagemaker_plane import SageMakerPlane
from local_aws.server import REGION
from pipeline_steps.errors import PipelineError
from pipeline_steps.settings import Settings

NOBODY = '{"Version": "2012-10-17", "Statement": []}'
SAGEMAKER = NOBODY.replace(
    "[]",
    '[{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, '
    '"Action": "sts:AssumeRole"}]',
)
LIMIT = "The account-level service limit 'Maximum number of serverless endpoints' is 5 endpoints."


class ScenarioFailedError(AssertionError):
    """The run did something else than it should have; says what."""


def model_does_not_load(world: World) -> str:
    """The new model's container does not start: AWS rolls the update back by itself."""
    with _polled(world) as site:
        message = _refused(world, site, site.package(broken=True), Injector())
        _say(message, "did not take", "these weights are broken", "still serves")
        site.versions.pop()
        _serves(world, site)
        world.ship(site)
    return "The version before serves on; the message gives the container's own words."


def endpoint_goes_failed(world: World) -> str:
    """The update ends in `Failed`, which allows for nothing but deletion."""
    site = _serving(world)

    def fail(self: Any, endpoint: Any, reason: Exception) -> None:
        endpoint.endpoint_status, endpoint.failure_reason = "Failed", str(reason)
        endpoint.pending_config_name = None

    with mock.patch.object(SageMakerPlane, "_fail", fail):
        message = _refused(world, site, site.package(broken=True), Injector())
    _say(message, "did not take", "still serves")
    site.versions.pop()
    _serves(world, site)
    world.ship(site)
    return "The endpoint is made anew with the last good configuration, and the run says so."


def endpoint_stays_updating(world: World) -> str:
    """An update that does not end."""
    with _polled(world) as site:
        settings = site.package(endpoint_timeout=1)
        with mock.patch.object(SageMakerPlane, "_roll_out", lambda *_: None):
            message = _refused(world, site, settings, Injector())
        _say(message, "Updating after 1 s", "--endpoint-timeout", "again")
        _serves(world, site, age=1)
        backend = sagemaker_backends["123456789012"][REGION]
        stuck: Any = backend.endpoints[site.name]
        world.aws._sagemaker.roll_out(backend, stuck, stuck.pending_config_name)
        _ships(world, site, settings)
    return "The run gives up at its deadline, the version before serves on; the next run waits on."


def update_in_progress(world: World) -> str:
    """Another run's update is not done yet."""
    with _polled(world) as site:
        client = world.aws.client("sagemaker")
        other = _another_config(client, site)
        with _slow_updates():
            client.update_endpoint(EndpointName=site.name, EndpointConfigName=other)
            _ships(world, site, site.package())
    return "The run waits for it, then goes on with its own."


def update_begins_in_between(world: World) -> str:
    """Another run's update begins between this one's look at the endpoint and its own update."""
    with _polled(world) as site:
        client = world.aws.client("sagemaker")
        other = _another_config(client, site)

        def overtake(request: AWSPreparedRequest, service: ServiceModel) -> None:
            if not overtaken:
                overtaken.append(request)
                client.update_endpoint(EndpointName=site.name, EndpointConfigName=other)

        overtaken: list[AWSPreparedRequest] = []
        with _slow_updates():
            injector = _at("deploy_endpoint", "sagemaker", "UpdateEndpoint", overtake)
            _ships(world, site, site.package(), injector)
    return "AWS refuses the second update; the run waits for the first, then goes on with its own."


def name_exists(world: World) -> str:
    """What the run is about to create was made a moment before, by another run of the same."""
    made = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint", "CreateModelPackageGroup")
    calls = [("deploy_endpoint", "sagemaker", operation) for operation in made]
    calls += [("create_api", "lambda", name) for name in ("CreateFunction", "CreateAlias")]
    http = URLLib3Session()
    for call in calls:
        sent: list[str] = []

        def first_another(
            request: AWSPreparedRequest, service: ServiceModel, sent: list[str] = sent
        ) -> None:
            if not sent:
                sent.append(request.url)
                http.send(request)
                request.reset_stream()

        site = world.site()
        _ships(world, site, site.package(), _at(*call, first_another))
        world.remove(site)
    http.close()
    return f"It is taken as it is: {', '.join(operation for *_, operation in calls)}."


def bucket_of_somebody_else(world: World) -> str:
    """The bucket's name belongs to another account, and S3 answers 403."""
    site = world.site()
    denied = _answer(403, "AccessDenied", "Access Denied")
    injector = _at("deploy_endpoint", "s3", "HeadObject", denied)
    message = _refused(world, site, site.package(bucket="not-ours"), injector)
    _say(message, "not-ours", "HeadObject", "another account", "MODEL_BUCKET")
    return "The message names the bucket and how to set another."


def role_known_late(world: World) -> str:
    """The role was made seconds ago, and SageMaker does not know it yet."""
    site, iam = world.site(), world.aws.client("iam")
    name = f"{site.name}-role"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=NOBODY)["Role"]["Arn"]
    settings = site.package(sagemaker_role_arn=role, role_timeout=20)
    known = threading.Timer(
        0.5, iam.update_assume_role_policy, kwargs={"RoleName": name, "PolicyDocument": SAGEMAKER}
    )
    known.start()
    _ships(world, site, settings)
    known.join()
    world.remove(site)
    return "The run asks again until it is known."


def role_never_known(world: World) -> str:
    """The role does not let SageMaker assume it, however long one waits."""
    site, iam = world.site(), world.aws.client("iam")
    name = f"{site.name}-role"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=NOBODY)["Role"]["Arn"]
    message = _refused(world, site, site.package(sagemaker_role_arn=role), Injector())
    _say(message, "CreateModel", name, "assume")
    return "After role_timeout the message names the role and that SageMaker cannot assume it."


def quota_exceeded(world: World) -> str:
    """The account may have no more of something."""
    exceeded = _answer(400, "ResourceLimitExceeded", LIMIT)
    for operation in ("CreateEndpointConfig", "CreateEndpoint"):
        site = world.site()
        injector = _at("deploy_endpoint", "sagemaker", operation, exceeded)
        message = _refused(world, site, site.package(), injector)
        _say(message, operation, "Maximum number of serverless endpoints", "Service Quotas")
        _say(message, "--mode realtime")
        _ships(world, site, site.settings)
        world.remove(site)
    return "The message names the quota, where to raise it, and the mode that does without."


def credentials_expire(world: World) -> str:
    """The session ends in the middle of the run."""
    expired = _answer(403, "ExpiredTokenException", "The security token included is expired.")
    with _polled(world) as site:
        for step, service, operation in (
            ("deploy_endpoint", "s3", "PutObject"),
            ("deploy_endpoint", "sagemaker", "UpdateEndpoint"),
            ("create_api", "lambda", "UpdateAlias"),
            ("smoke_test", "s3", "ListObjectsV2"),
        ):
            settings = site.package()
            injector = _at(step, service, operation, expired)
            message = _refused(world, site, settings, injector)
            _say(message, operation, "Log in")
            _ships(world, site, settings)
    return "The message says to log in; the same command then goes on where it ended."


def no_network(world: World) -> str:
    """AWS cannot be reached for a while."""

    def unreachable(request: AWSPreparedRequest, service: ServiceModel) -> None:
        raise EndpointConnectionError(endpoint_url=request.url)

    with _polled(world) as site:
        settings = site.package()
        injector = _at("deploy_endpoint", "sagemaker", "UpdateEndpoint", unreachable)
        message = _refused(world, site, settings, injector)
        _say(message, "Could not connect", "again")
        _ships(world, site, settings)
    return "botocore's tries are used up, then the message says so; the same command goes on."


SCENARIOS: tuple[Callable[[World], str], ...] = (
    model_does_not_load,
    endpoint_goes_failed,
    endpoint_stays_updating,
    update_in_progress,
    update_begins_in_between,
    name_exists,
    bucket_of_somebody_else,
    role_known_late,
    role_never_known,
    quota_exceeded,
    credentials_expire,
    no_network,
)


def _serving(world: World) -> Site:
    """A site of its own with two releases, the newer one of which serves."""
    site = world.site()
    for _ in range(2):
        world.ship(site)
    return site


@contextmanager
def _polled(world: World) -> Iterator[Site]:
    """Such a site under the eyes of a client, which must be answered all the while."""
    site = _serving(world)
    with Poller(world.url(site.settings)) as poller:
        yield site
        poller.wait_for_request()
    if poller.failures:
        raise ScenarioFailedError(f"Clients' requests failed: {poller.failures}")


def _refused(world: World, site: Site, settings: Settings, injector: Injector) -> str:
    """The message of a run that must end in an error."""
    try:
        world.run(SHIP, site, settings, injector)
    except PipelineError as error:
        return str(error)
    raise ScenarioFailedError("The run ended well, expected an error.")


def _ships(world: World, site: Site, settings: Settings, injector: Injector | None = None) -> None:
    """A run that must complete."""
    try:
        world.run(SHIP, site, settings, injector or Injector())
    except PipelineError as error:
        raise ScenarioFailedError(f"The run ended in an error: {error}") from error
    if injector and not injector.hits:
        raise ScenarioFailedError("The call was not made.")
    _serves(world, site)


def _serves(world: World, site: Site, age: int = 0) -> None:
    served, expected = version_at(world.url(site.settings)), site.versions[-1 - age]
    if served != expected:
        raise ScenarioFailedError(f"{served} serves, expected {expected}.")


def _say(message: str, *words: str) -> None:
    for word in words:
        if word not in message:
            raise ScenarioFailedError(f"The message does not say {word!r}: {message}")


def _at(step: str, service: str, operation: str, answer: Answer) -> Injector:
    return Injector(Call(step, service, operation, 1), answer=answer)


def _answer(status: int, code: str, text: str) -> Answer:
    def answer(request: AWSPreparedRequest, service: ServiceModel) -> AWSResponse:
        return error(service, request, status, code, text)

    return answer


def _another_config(client: Any, site: Site) -> str:
    configs = client.list_endpoint_configs(NameContains=site.name)["EndpointConfigs"]
    serving = client.describe_endpoint(EndpointName=site.name)["EndpointConfigName"]
    names = [item["EndpointConfigName"] for item in configs]
    return str(next(name for name in names if name != serving))


@contextmanager
def _slow_updates() -> Iterator[None]:
    original = SageMakerPlane._roll_out

    def slow(*arguments: Any) -> None:
        time.sleep(0.4)
        original(*arguments)

    with mock.patch.object(SageMakerPlane, "_roll_out", slow):
        yield
