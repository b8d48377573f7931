"""A running local AWS, and a kit that makes the small models, functions and APIs to try it with."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import BUCKET, LocalAws
from pipeline_steps.tarball import write_tarball

INFERENCE = """
import json, pathlib, time
from payload import BadRequestError

class Model:
    def __init__(self, version):
        self.version = version

def model_fn(model_dir):
    version = pathlib.Path(model_dir, "version.txt").read_text()
    if version.startswith("broken"):
        raise RuntimeError("these weights are broken")
    return Model(version)

def input_fn(body, content_type="application/json"):
    if content_type != "application/json":
        raise BadRequestError("not JSON")
    return json.loads(body)["inputs"]

def predict_fn(texts, model):
    if texts == ["crash"]:
        raise RuntimeError("a secret of the code")
    if texts == ["slow"]:
        time.sleep(0.6)
    return {"texts": texts, "model_version": model.version}

def output_fn(prediction, accept):
    return json.dumps(prediction)
"""
ECHO = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"},
            "body": __import__("json").dumps(event)}
"""


class Kit:
    """Makes things on a local AWS, each under a name of its own."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        self.aws, self._folder = aws, folder
        self._clients: dict[str, Any] = {}
        self.environment = aws.environment()

    def client(self, service: str) -> Any:
        """A boto3 client without retries; made once."""
        if service not in self._clients:
            self._clients[service] = self.aws.client(service)
        return self._clients[service]

    def upload_model(self, version: str) -> str:
        """Upload a tarball whose model answers with `version`; returns its URL."""
        folder = self._folder / f"model-{version}"
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "inference.py").write_text(INFERENCE)
        (folder / "version.txt").write_text(version)
        tarball = self._folder / f"{version}.tar.gz"
        write_tarball(folder, tarball)
        key = f"models/{version}/model.tar.gz"
        self.client("s3").upload_file(str(tarball), BUCKET, key)
        return f"s3://{BUCKET}/{key}"

    def create_model(self, name: str, url: str, image: str = "any") -> None:
        """A SageMaker Model of the tarball at `url`."""
        self.client("sagemaker").create_model(
            ModelName=name,
            PrimaryContainer={"Image": image, "ModelDataUrl": url},
            ExecutionRoleArn=self.environment["SAGEMAKER_ROLE_ARN"],
        )

    def create_config(self, name: str, **serverless: int) -> None:
        """An EndpointConfig of the model with the same name."""
        settings = {"MemorySizeInMB": 2048, "MaxConcurrency": 5, **serverless}
        variant = {"VariantName": "all", "ModelName": name, "ServerlessConfig": settings}
        self.client("sagemaker").create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant]
        )

    def release(self, version: str) -> None:
        """Tarball, Model and EndpointConfig, all named `version`."""
        self.create_model(version, self.upload_model(version))
        self.create_config(version)

    def endpoint_when(self, name: str, *statuses: str) -> dict[str, Any]:
        """The endpoint's description once it has one of `statuses`."""
        return wait_for(
            lambda: self.client("sagemaker").describe_endpoint(EndpointName=name),
            lambda found: found["EndpointStatus"] in statuses,
        )

    def create_endpoint(self, name: str, version: str) -> None:
        """An endpoint in service with the release `version`."""
        self.release(version)
        self.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=version)
        self.endpoint_when(name, "InService")

    def invoke(self, endpoint: str, *texts: str) -> dict[str, Any]:
        """The endpoint's answer to `texts`."""
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint,
            ContentType="application/json",
            Body=json.dumps({"inputs": list(texts)}),
        )
        return json.loads(answer["Body"].read())

    def create_function(self, name: str, code: str = ECHO, **settings: Any) -> str:
        """A function of the module `code`, ready to be called; returns its ARN."""
        created = self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=self.environment["LAMBDA_ROLE_ARN"],
            Handler="handler.handler",
            Code={"ZipFile": zip_of(code)},
            **settings,
        )
        self.settle(name)
        return created["FunctionArn"]

    def update_code(self, name: str, code: str) -> None:
        """Upload other code for $LATEST and wait until it may be used."""
        self.client("lambda").update_function_code(FunctionName=name, ZipFile=zip_of(code))
        self.settle(name)

    def settle(self, name: str) -> None:
        """Wait until a function may be changed again."""
        wait_for(
            lambda: self.client("lambda").get_function_configuration(FunctionName=name),
            lambda found: (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful"),
        )

    def call(self, name: str, event: Any = None, **settings: Any) -> tuple[Any, str | None]:
        """Invoke a function; returns its result and the kind of error."""
        answer = self.client("lambda").invoke(
            FunctionName=name, Payload=json.dumps(event), **settings
        )
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    def create_api(
        self, name: str, function_arn: str, *routes: str, allowed: bool = True, timeout: int = 30000
    ) -> str:
        """An HTTP API whose routes all lead to one function; returns its URL."""
        gateway = self.client("apigatewayv2")
        api = gateway.create_api(Name=name, ProtocolType="HTTP")
        integration = gateway.create_integration(
            ApiId=api["ApiId"],
            IntegrationType="AWS_PROXY",
            IntegrationUri=function_arn,
            PayloadFormatVersion="2.0",
            TimeoutInMillis=timeout,
        )
        for route in routes:
            target = f"integrations/{integration['IntegrationId']}"
            gateway.create_route(ApiId=api["ApiId"], RouteKey=route, Target=target)
        gateway.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
        if allowed:
            self.allow(function_arn, api["ApiId"])
        return str(api["ApiEndpoint"])

    def allow(self, function_arn: str, api_id: str, pattern: str = "*/*") -> None:
        """Let an API call a function, or one alias of it."""
        name, _, qualifier = function_arn.partition(":function:")[2].partition(":")
        self.client("lambda").add_permission(
            FunctionName=name,
            StatementId=f"api-{api_id}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api_id}/{pattern}",
            **({"Qualifier": qualifier} if qualifier else {}),
        )


def zip_of(code: str) -> bytes:
    """A function's zip with one module, `handler`; the same code gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), code)
    return buffer.getvalue()


def wait_for(look: Callable[[], Any], is_right: Callable[[Any], bool], seconds: float = 20) -> Any:
    """Look again and again until what is found is right."""
    deadline = time.monotonic() + seconds
    while not is_right(found := look()):
        assert time.monotonic() < deadline, f"still not right after {seconds} s: {found}"
        time.sleep(0.03)
    return found


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """One local AWS for the tests of a module."""
    with LocalAws(tmp_path_factory.mktemp("aws"), port=0, api_port=0) as running:
        yield running


@pytest.fixture(scope="module")
def kit(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """The kit for the module's local AWS."""
    return Kit(aws, tmp_path_factory.mktemp("kit"))


@pytest.fixture
def make_kit(tmp_path_factory: pytest.TempPathFactory) -> Callable[[LocalAws], Kit]:
    """A kit for a local AWS that a test runs itself."""
    return lambda running: Kit(running, tmp_path_factory.mktemp("kit"))
