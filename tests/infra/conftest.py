"""An account bootstrapped by our own command, and clients that note who calls what."""

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cfnlint.decode
import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from pipeline_steps import bootstrap, github_commands
from pipeline_steps.aws import Clients
from tests.infra.calls import needed
from tests.infra.policy import Request, Role, bucket_policy, load_role
from tests.pipeline_steps.conftest import aws, release

__all__ = ["aws", "release"]

NAME, REPOSITORY = "t5-sentiment", "octo-org/octo-repo"
NEIGHBOUR = f"{NAME}-sst2"  # another stack, whose name begins with ours
MAIL_FROM = "pipeline@example.com"
DENIED = "AccessDeniedException"
ROLES = [
    *("deploy-staging", "deploy-production", "monitor", "hosting", "training"),
    *("lambda-staging", "lambda-production"),
]


@dataclass
class Account:
    """The roles of a bootstrapped account, and what the stack says to GitHub."""

    roles: dict[str, Role]
    outputs: dict[str, str]
    provider: str
    policy_sizes: dict[str, int]  # characters as IAM counts them

    def arn(self, role: str) -> str:
        """The ARN of one of the roles."""
        return self.roles[role].arn


@dataclass
class Recorder:
    """Every call that was made, as the requests that IAM would decide about.

    What a role of `refusing` is not allowed is refused, as AWS would.
    """

    apis: Any
    refusing: dict[str, Role] = field(default_factory=dict)
    calls: list[tuple[str, str, Request]] = field(default_factory=list)

    def clients(self, role: str, doing: str) -> "RecordingClients":
        """Clients that note their calls as those of `role`."""
        return RecordingClients(self, role, doing)

    def note(self, role: str, doing: str, model: Any, parameters: dict[str, Any]) -> None:
        """Note a call before it is made."""
        about_api = model.service_model.signing_name == "apigateway" and "ApiId" in parameters
        tags = self.apis.get_api(ApiId=parameters["ApiId"]).get("Tags", {}) if about_api else {}
        requests = needed(model, parameters, tags)
        self.calls += [(role, doing, request) for request in requests]
        refused = [item for item in requests if not self._may(role, item)]
        if refused:
            told = f"{role} may not {refused[0].action} on {refused[0].resource}"
            raise ClientError({"Error": {"Code": DENIED, "Message": told}}, model.name)

    def _may(self, role: str, request: Request) -> bool:
        return role not in self.refusing or self.refusing[role].allows(request)


class RecordingClients(Clients):
    """The steps' own clients, with a listener on each."""

    def __init__(self, recorder: Recorder, role: str, doing: str) -> None:
        self._note = lambda params, model, **_: recorder.note(role, doing, model, params)

    def _client(self, service: str) -> Any:
        client = super()._client(service)
        client.meta.events.register("before-parameter-build", self._note)
        return client


def _bootstrapped(local: LocalAws, monkeypatch: pytest.MonkeyPatch, name: str = NAME) -> Account:
    """Run our own command in a new account, as a person would."""
    for variable, value in local.environment().items():
        monkeypatch.setenv(variable, value)
    flags = ["--repository", REPOSITORY, "--name", name, "--mail-from", MAIL_FROM, "--yes"]
    with warnings.catch_warnings():
        # moto says so of each type that it makes nothing of
        warnings.filterwarnings("ignore", "Tried to parse AWS")
        assert bootstrap.main([*flags, "--poll-seconds", "0.05"]) == 0
    found = local.client("cloudformation").describe_stacks(StackName=f"{name}-bootstrap")
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found["Stacks"][0]["Outputs"]}
    iam = local.client("iam")
    providers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    template, _ = cfnlint.decode.decode(str(bootstrap.TEMPLATE))
    names = {"Name": name, "ModelBucket.Arn": f"arn:aws:s3:::{outputs['ModelBucketName']}"}
    denied = bucket_policy(template, names)
    roles = {role: load_role(iam, f"{name}-{role}", denied) for role in ROLES}
    return Account(roles, outputs, providers[0]["Arn"], dict(_policy_sizes(iam)))


def _policy_sizes(iam: Any) -> Iterator[tuple[str, int]]:
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        found = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")
        document = found["PolicyVersion"]["Document"]
        yield policy["PolicyName"], len(json.dumps(document, separators=(",", ":")))


@pytest.fixture(scope="session")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The roles after a bootstrap, made once; the account itself is gone."""
    folder = tmp_path_factory.mktemp("bootstrapped")
    with LocalAws(folder, port=0, api_port=0) as local, pytest.MonkeyPatch.context() as patch:
        return _bootstrapped(local, patch)


@pytest.fixture(scope="session")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The roles of the other stack."""
    folder = tmp_path_factory.mktemp("neighbours")
    with LocalAws(folder, port=0, api_port=0) as local, pytest.MonkeyPatch.context() as patch:
        return _bootstrapped(local, patch, NEIGHBOUR)


@pytest.fixture
def account(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account after `bootstrap`; its outputs are in the environment, as in a workflow."""
    made = _bootstrapped(aws, monkeypatch)
    for output, (variable, environment) in github_commands.VARIABLES.items():
        if environment is None:
            monkeypatch.setenv(variable, made.outputs[output])
    return made


@pytest.fixture
def recorder(aws: LocalAws) -> Recorder:
    """Nothing recorded yet."""
    return Recorder(aws.client("apigatewayv2"))
