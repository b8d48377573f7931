"""Back to an earlier release by hand: endpoint and function together, from any machine."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from local_aws.server import LocalAws
from pipeline_steps import create_api, deploy_endpoint, releases, rollback, smoke_test
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, DeployError, SmokeTestError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


def ship(settings: Settings) -> None:
    for step in (deploy_endpoint, create_api, smoke_test):
        step.run(settings, Clients())


def answers(aws: LocalAws, name: str = "t5-sentiment-demo") -> str:
    """The version of the model that answers now."""
    answer = requests.post(f"{aws.apis()[name]}/predict", json={"inputs": "good"}, timeout=60)
    return answer.headers["X-Model-Version"]


@pytest.fixture
def twice(release: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Two releases, the second with another function too."""
    ship(release("aaaaaaaaaaaa"))
    other = tmp_path / "lambda"
    shutil.copytree(create_api.SOURCES, other, ignore=shutil.ignore_patterns("__pycache__"))
    handler = other / "handler.py"
    handler.write_text(handler.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    zipped = create_api.zip_function(other)
    monkeypatch.setattr(create_api, "zip_function", lambda: zipped)
    settings = release("bbbbbbbbbbbb")
    ship(settings)
    return settings


def test_goes_back_with_endpoint_and_function(twice: Settings, aws: LocalAws) -> None:
    clients = Clients()
    bad, good = releases.history(twice, clients)
    # WHEN a machine that has no build folder rolls back
    shutil.rmtree(twice.build_dir)
    outcome = rollback.run(twice, clients, reason="wrong on short reviews")
    # THEN both are those of before
    assert "2 golden answers equal" in outcome.detail
    assert releases.serving(twice, clients) == good.identity
    assert good.function_version != bad.function_version
    assert answers(aws) == "aaaaaaaaaaaa"
    # AND the history says so
    newest = releases.history(twice, clients)[0]
    assert (newest.reason, newest.replaced) == ("rollback", bad.identity)


def test_withdrawn_model_is_not_shipped_again(twice: Settings, aws: LocalAws) -> None:
    clients = Clients()
    rollback.run(twice, clients, reason="wrong on short reviews")
    with pytest.raises(DeployError, match=r"is rejected: .*wrong on short reviews.*Approved"):
        deploy_endpoint.run(twice, clients)
    assert answers(aws) == "aaaaaaaaaaaa"


def test_same_command_again_goes_no_further(release: Make, twice: Settings, aws: LocalAws) -> None:
    ship(release("cccccccccccc"))
    assert rollback.run(twice, Clients()).status == "done"
    # WHEN whoever saw the first one die asks again
    outcome = rollback.run(twice, Clients())
    # THEN it is not a step further back, which takes a version
    assert outcome.status == "reused"
    assert "To go further back, name a release with --to" in outcome.detail
    assert answers(aws) == "bbbbbbbbbbbb"
    rollback.run(twice, Clients(), to="aaaaaaaaaaaa")
    assert answers(aws) == "aaaaaaaaaaaa"


def test_single_release_has_no_way_back(release: Make) -> None:
    settings = release("aaaaaaaaaaaa")
    ship(settings)
    with pytest.raises(ConfigurationError, match=r"no release before .*\n.*aaaaaaaaaaaa"):
        rollback.run(settings, Clients())


def test_release_that_never_passed_is_rejected_too(twice: Settings, release: Make) -> None:
    # GIVEN a model that serves and was never tested: its run was killed
    clients = Clients()
    bad = release("cccccccccccc")
    deploy_endpoint.run(bad, clients)
    rollback.run(bad, clients, reason="it was never tested")
    assert releases.serving(bad, clients) == releases.history(bad, clients)[1].identity
    with pytest.raises(DeployError, match=r"is rejected: .*never tested"):
        deploy_endpoint.run(bad, clients)
    # AND the same command again goes no further
    assert rollback.run(bad, clients).status == "reused"


def test_way_forward_rejects_nothing_and_says_what_is(twice: Settings, aws: LocalAws) -> None:
    clients = Clients()
    newer, older = releases.history(twice, clients)
    rollback.run(twice, clients)
    outcome = rollback.run(twice, clients, to=newer.model_version)
    assert "still rejected" in outcome.detail
    assert newer.model_package_arn in outcome.detail
    package = clients.sagemaker.describe_model_package(ModelPackageName=older.model_package_arn)
    assert package["ModelApprovalStatus"] == "Approved"


def test_function_that_is_gone_is_told_first(twice: Settings, aws: LocalAws) -> None:
    clients = Clients()
    older = releases.history(twice, clients)[-1]
    clients.lambda_.delete_function(
        FunctionName=twice.resource_name, Qualifier=older.function_version
    )
    with pytest.raises(ConfigurationError, match="is no longer kept"):
        rollback.run(twice, clients)
    assert answers(aws) == "bbbbbbbbbbbb"


def test_forward_again_by_version(twice: Settings, aws: LocalAws) -> None:
    rollback.run(twice, Clients())
    rollback.run(twice, Clients(), to="bbbbbbbbbbbb")
    assert answers(aws) == "bbbbbbbbbbbb"


def test_configuration_can_be_named(twice: Settings, aws: LocalAws) -> None:
    first = releases.history(twice, Clients())[-1]
    rollback.run(twice, Clients(), to=first.endpoint_config_name)
    assert answers(aws) == "aaaaaaaaaaaa"


def test_unknown_version_lists_what_there_is(twice: Settings, aws: LocalAws) -> None:
    with pytest.raises(ConfigurationError, match=r"'0123' is no release .*\n.*aaaa.*\n.*bbbb"):
        rollback.run(twice, Clients(), to="0123")
    assert answers(aws) == "bbbbbbbbbbbb"


def test_release_no_longer_kept_is_told(twice: Settings) -> None:
    clients = Clients()
    first = releases.history(twice, clients)[-1]
    clients.sagemaker.delete_endpoint_config(EndpointConfigName=first.endpoint_config_name)
    with pytest.raises(ConfigurationError, match=r"no longer kept.*Ship its commit again"):
        rollback.run(twice, clients)


def test_release_that_answers_otherwise_is_told(twice: Settings) -> None:
    # GIVEN golden answers in S3 that the old model does not give
    clients = Clients()
    first = releases.history(twice, clients)[-1]
    spoiled = dataclasses.replace(
        releases.evaluation_of(clients, first), golden=[GoldenAnswer("good", "NEGATIVE", 0.9)]
    )
    key = first.model_data_url.removeprefix(f"s3://{twice.deploy.bucket}/")
    key = key.replace("model.tar.gz", Evaluation.FILE)
    clients.s3.put_object(Bucket=twice.deploy.bucket, Key=key, Body=spoiled.text().encode())
    with pytest.raises(SmokeTestError, match=r"fails its test.*Go further back with --to"):
        rollback.run(twice, clients)


def test_nothing_released_is_told(release: Make) -> None:
    with pytest.raises(ConfigurationError, match="It has no release at all"):
        rollback.run(release(), Clients())


def test_staging_goes_back_without_rejecting(release: Make) -> None:
    clients = Clients()
    for version in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        settings = release(version).in_environment("staging")
        ship(settings)
    bad = releases.history(settings, clients)[0]
    rollback.run(settings, clients)
    found = clients.sagemaker.describe_model_package(ModelPackageName=bad.model_package_arn)
    assert found["ModelApprovalStatus"] == "Approved"


def test_command_takes_its_flags(
    twice: Settings, aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--build-dir", str(twice.build_dir), "--poll-seconds", "0.05"]
    assert rollback.main([*flags, "--to", "nothing"]) == 2
    assert "is no release of t5-sentiment-demo" in capsys.readouterr().err
    assert rollback.main([*flags, "--reason", "it was wrong"]) == 0
    assert "serves aaaaaaaaaaaa" in capsys.readouterr().out
    assert answers(aws) == "aaaaaaaaaaaa"
