"""The smoke test: passes a good release, and sees each way in which one can be bad."""

import dataclasses
from collections.abc import Callable

import pytest

from pipeline_steps import create_api, deploy_endpoint, releases, smoke_test
from pipeline_steps.aws import Clients
from pipeline_steps.errors import DeployError, SmokeTestError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.release_artefacts import Api, Release, SmokeReport
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


@pytest.fixture
def live(release: Make) -> Settings:
    settings = release()
    deploy_endpoint.run(settings, Clients())
    create_api.run(settings, Clients())
    return settings


def hasty(settings: Settings) -> Settings:
    deploy = dataclasses.replace(settings.deploy, smoke_timeout=1)
    return dataclasses.replace(settings, deploy=deploy)


def test_good_release_passes(live: Settings) -> None:
    assert smoke_test.run(live, Clients()).status == "done"
    report = SmokeReport.load(live.environment_dir)
    assert report.golden_answers == 2
    assert report.largest_score_difference == 0
    assert report.model_version == "aaaaaaaaaaaa"
    assert sorted(report.refused_requests.values()) == [400, 415, 422, 422]
    assert report.example.label == "NEGATIVE"


def test_other_answer_is_seen(live: Settings) -> None:
    evaluation = Evaluation.load(live.work_dir)
    golden = [*evaluation.golden, GoldenAnswer("a good one", "NEGATIVE", 0.9)]
    dataclasses.replace(evaluation, golden=golden).save(live.work_dir)
    message = "'a good one' is POSITIVE 0.9000, but was evaluated as NEGATIVE.*no release before it"
    with pytest.raises(SmokeTestError, match=message):
        smoke_test.run(live, Clients())
    assert SmokeReport.find(live.environment_dir) is None


def test_other_score_is_seen(live: Settings) -> None:
    evaluation = Evaluation.load(live.work_dir)
    golden = [GoldenAnswer("a good film", "POSITIVE", 0.88)]
    dataclasses.replace(evaluation, golden=golden).save(live.work_dir)
    with pytest.raises(SmokeTestError, match=r"POSITIVE 0\.9000, but was .* 0\.8800"):
        smoke_test.run(live, Clients())


def test_other_version_is_seen(live: Settings) -> None:
    other = dataclasses.replace(Release.load(live.environment_dir), model_version="bbbbbbbbbbbb")
    other.save(live.environment_dir)
    message = (
        "with model version 'bbbbbbbbbbbb' within 1 s .*status 200, model version 'aaaaaaaaaaaa'"
    )
    with pytest.raises(SmokeTestError, match=message):
        smoke_test.run(hasty(live), Clients())


def test_silent_api_ends_at_the_deadline(live: Settings, free_port: int) -> None:
    api = dataclasses.replace(
        Api.load(live.environment_dir), api_url=f"http://127.0.0.1:{free_port}"
    )
    api.save(live.environment_dir)
    message = r"did not answer .* within 1 s \(--smoke-timeout\).*no release before"
    with pytest.raises(SmokeTestError, match=message):
        smoke_test.run(hasty(live), Clients())


def ship(settings: Settings, clients: Clients) -> None:
    for step in (deploy_endpoint, create_api, smoke_test):
        step.run(settings, clients)


def spoil(settings: Settings) -> None:
    """Expect an answer of the model that it will not give."""
    evaluation = Evaluation.load(settings.work_dir)
    golden = [GoldenAnswer("a good film", "NEGATIVE", 0.9)]
    dataclasses.replace(evaluation, golden=golden).save(settings.work_dir)


def serves(settings: Settings, clients: Clients) -> str:
    found = clients.sagemaker.describe_endpoint(EndpointName=settings.resource_name)
    return str(found["EndpointConfigName"])


def test_bad_release_is_rolled_back(release: Make) -> None:
    # GIVEN a good release, and one after it that answers otherwise than it was evaluated
    clients = Clients()
    ship(release("aaaaaaaaaaaa"), clients)
    settings = release("bbbbbbbbbbbb")
    good = serves(settings, clients)
    spoil(settings)
    # WHEN it is shipped THEN it fails, and the good one serves again
    with pytest.raises(SmokeTestError, match=r"Rolled back: aaaaaaaaaaaa .* serves again"):
        ship(settings, clients)
    assert serves(settings, clients) == good
    # AND it is not in the history
    assert [known.model_version for known in releases.history(settings, clients)] == [
        "aaaaaaaaaaaa"
    ]
    # AND mended, the same command ships it
    release("bbbbbbbbbbbb")
    ship(settings, clients)
    assert "bbbbbbbbbbbb" in serves(settings, clients)


def test_release_that_passed_before_stays(release: Make) -> None:
    clients, settings = Clients(), release("aaaaaaaaaaaa")
    ship(settings, clients)
    ship(release("bbbbbbbbbbbb"), clients)
    spoil(settings)
    with pytest.raises(SmokeTestError, match="Nothing was rolled back: bbbbbbbbbbbb passed"):
        smoke_test.run(settings, clients)
    assert "bbbbbbbbbbbb" in serves(settings, clients)


def test_rollback_that_fails_is_told_too(release: Make) -> None:
    clients, settings = Clients(), release("aaaaaaaaaaaa")
    ship(settings, clients)
    first = serves(settings, clients)
    settings = release("bbbbbbbbbbbb")
    deploy_endpoint.run(settings, clients)
    create_api.run(settings, clients)
    clients.sagemaker.delete_endpoint_config(EndpointConfigName=first)
    spoil(settings)
    with pytest.raises(SmokeTestError, match=r"NOT rolled back.*UpdateEndpoint.*rollback"):
        smoke_test.run(settings, clients)


def test_endpoint_changed_by_another_run_is_left(live: Settings) -> None:
    other = dataclasses.replace(
        Release.load(live.environment_dir), endpoint_config_name="t5-sentiment-demo-other"
    )
    other.save(live.environment_dir)
    with pytest.raises(SmokeTestError, match="another run has changed it"):
        smoke_test.run(live, Clients())


def test_staging_approves_for_production(release: Make) -> None:
    clients = Clients()
    settings = release(approval="staging")
    with pytest.raises(DeployError, match=r"never shipped to staging.*--environment staging"):
        deploy_endpoint.run(settings, clients)
    assert clients.sagemaker.list_endpoints()["Endpoints"] == []
    # Not even a deployed one is, before its test
    deploy_endpoint.run(settings.in_environment("staging"), clients)
    with pytest.raises(DeployError, match=r"not approved for production .*--environment staging"):
        deploy_endpoint.run(settings, clients)
    ship(settings.in_environment("staging"), clients)
    ship(settings, clients)
    # THEN both environments serve the same tarball
    names = [settings.in_environment("staging").resource_name, settings.resource_name]
    urls = set()
    for name in names:
        found = clients.sagemaker.describe_endpoint(EndpointName=name)
        model = clients.sagemaker.describe_model(ModelName=found["EndpointConfigName"])
        urls.add(model["PrimaryContainer"]["ModelDataUrl"])
    assert names == ["t5-sentiment-demo-staging", "t5-sentiment-demo"]
    assert len(urls) == 1
