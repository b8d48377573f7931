"""The endpoint: created once, then updated in place, and never worse off for a failure."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from local_aws.server import LocalAws
from pipeline_steps import deploy_endpoint
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.model_artefacts import Manifest
from pipeline_steps.release_artefacts import Release
from pipeline_steps.settings import Settings

ENDPOINT = "t5-sentiment-demo"
Make = Callable[..., Settings]


def serves(clients: Clients) -> str:
    """The name of the configuration that the endpoint serves."""
    found = clients.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert found["EndpointStatus"] == "InService"
    return str(found["EndpointConfigName"])


def test_first_deploy_creates_everything(release: Make) -> None:
    clients, settings = Clients(), release()
    assert deploy_endpoint.run(settings, clients).status == "done"
    made = Release.load(settings.environment_dir)
    assert serves(clients) == made.endpoint_config_name
    assert made.endpoint_config_name.startswith(f"{ENDPOINT}-aaaaaaaaaaaa-")
    config = clients.sagemaker.describe_endpoint_config(
        EndpointConfigName=made.endpoint_config_name
    )
    (variant,) = config["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    model = clients.sagemaker.describe_model(ModelName=made.endpoint_config_name)
    assert model["PrimaryContainer"]["ModelDataUrl"] == made.model_data_url
    assert ".us-east-1.amazonaws.com/" in model["PrimaryContainer"]["Image"]


def test_manifest_stands_beside_the_tarball(release: Make) -> None:
    clients, settings = Clients(), release()
    deploy_endpoint.run(settings, clients)
    url = Release.load(settings.environment_dir).model_data_url
    bucket, key = url.removeprefix("s3://").split("/", 1)
    manifest = clients.s3.get_object(Bucket=bucket, Key=key.replace("model.tar.gz", Manifest.FILE))
    assert manifest["Body"].read() == (settings.work_dir / Manifest.FILE).read_bytes()


def test_same_model_changes_nothing(release: Make) -> None:
    clients, settings = Clients(), release()
    deploy_endpoint.run(settings, clients)
    before = clients.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["LastModifiedTime"]
    assert deploy_endpoint.run(settings, clients).status == "reused"
    after = clients.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["LastModifiedTime"]
    assert before == after


def test_new_model_updates_and_keeps_the_old(release: Make) -> None:
    clients, settings = Clients(), release("aaaaaaaaaaaa")
    deploy_endpoint.run(settings, clients)
    first = serves(clients)
    settings = release("bbbbbbbbbbbb")
    deploy_endpoint.run(settings, clients)
    made = Release.load(settings.environment_dir)
    assert serves(clients) == made.endpoint_config_name != first
    # AND the configuration of before is still there to go back to
    assert clients.sagemaker.describe_endpoint_config(EndpointConfigName=first)


def test_other_memory_is_another_release(release: Make) -> None:
    clients = Clients()
    deploy_endpoint.run(release(), clients)
    first = serves(clients)
    assert deploy_endpoint.run(release(memory_mb=4096), clients).status == "done"
    assert serves(clients) != first


def test_model_that_cannot_load_leaves_the_old_one(release: Make) -> None:
    clients = Clients()
    deploy_endpoint.run(release("aaaaaaaaaaaa"), clients)
    first = serves(clients)
    with pytest.raises(DeployError, match=f"{first}' still serves|weights are broken"):
        deploy_endpoint.run(release("broken000000"), clients)
    assert serves(clients) == first


def test_failed_first_deploy_can_be_repeated(release: Make) -> None:
    clients = Clients()
    with pytest.raises(DeployError, match="Nothing serves"):
        deploy_endpoint.run(release("broken000000"), clients)
    assert deploy_endpoint.run(release("aaaaaaaaaaaa"), clients).status == "done"
    assert "aaaaaaaaaaaa" in serves(clients)


def test_update_in_progress_is_waited_for(release: Make) -> None:
    clients = Clients()
    settings = release("aaaaaaaaaaaa")
    with ThreadPoolExecutor(2) as pool:
        # Two runners deploy the same model at the same moment
        runs = [pool.submit(deploy_endpoint.run, settings, Clients()) for _ in range(2)]
        outcomes = [run.exception() or run.result() for run in runs]
    # One may lose the race for a name, but the same command then goes through
    assert deploy_endpoint.run(settings, clients).status in ("done", "reused"), outcomes
    assert "aaaaaaaaaaaa" in serves(clients)


def test_changed_tarball_is_refused(release: Make) -> None:
    settings = release()
    (settings.work_dir / "model.tar.gz").write_bytes(b"something else")
    with pytest.raises(DeployError, match=r"not the file that manifest\.json describes"):
        deploy_endpoint.run(settings, Clients())


def test_tarball_of_another_run_is_refused(release: Make) -> None:
    settings = release(tarball_sha256="0" * 64)
    with pytest.raises(DeployError, match="not the one that was packed in this run"):
        deploy_endpoint.run(settings, Clients())


@pytest.mark.parametrize("variable", ["MODEL_BUCKET", "SAGEMAKER_ROLE_ARN"])
def test_missing_setting_is_told(
    release: Make, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(ConfigurationError, match=variable):
        deploy_endpoint.run(release(), Clients())


def test_unknown_bucket_names_call_and_code(release: Make) -> None:
    settings = release(bucket="nobody-made-this")
    with pytest.raises(DeployError, match=r"Deploying to the endpoint .*NoSuchBucket"):
        deploy_endpoint.run(settings, Clients())


def test_long_name_is_told_before_aws_is(release: Make) -> None:
    with pytest.raises(ConfigurationError, match="SageMaker allows 63"):
        deploy_endpoint.run(release(name="a" * 60), Clients())


def test_no_region_says_what_to_set(
    aws: LocalAws, release: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        deploy_endpoint.run(release(), Clients())
