"""The smoke test: passes a good release, and sees each way in which one can be bad."""

import dataclasses
from collections.abc import Callable

import pytest

from pipeline_steps import create_api, deploy_endpoint, smoke_test
from pipeline_steps.artefacts import Api, Evaluation, GoldenAnswer, Release, SmokeReport
from pipeline_steps.aws import Clients
from pipeline_steps.errors import SmokeTestError
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


@pytest.fixture
def live(release: Make) -> Settings:
    settings = release()
    deploy_endpoint.run(settings, Clients())
    create_api.run(settings, Clients())
    return settings


def test_good_release_passes(live: Settings) -> None:
    assert smoke_test.run(live, Clients()).status == "done"
    report = SmokeReport.load(live.work_dir)
    assert report.golden_answers == 2
    assert report.largest_score_difference == 0
    assert report.model_version == "aaaaaaaaaaaa"
    assert sorted(report.refused_requests.values()) == [400, 415, 422, 422]
    assert report.example.label == "NEGATIVE"


def test_other_answer_is_seen(live: Settings) -> None:
    evaluation = Evaluation.load(live.work_dir)
    golden = [*evaluation.golden, GoldenAnswer("a good one", "NEGATIVE", 0.9)]
    dataclasses.replace(evaluation, golden=golden).save(live.work_dir)
    message = "'a good one' is POSITIVE 0.9000, but was evaluated as NEGATIVE.*serves now"
    with pytest.raises(SmokeTestError, match=message):
        smoke_test.run(live, Clients())
    assert SmokeReport.find(live.work_dir) is None


def test_other_score_is_seen(live: Settings) -> None:
    evaluation = Evaluation.load(live.work_dir)
    golden = [GoldenAnswer("a good film", "POSITIVE", 0.898)]
    dataclasses.replace(evaluation, golden=golden).save(live.work_dir)
    with pytest.raises(SmokeTestError, match=r"POSITIVE 0\.9000, but was .* 0\.8980"):
        smoke_test.run(live, Clients())


def test_other_version_is_seen(live: Settings) -> None:
    other = dataclasses.replace(Release.load(live.work_dir), model_version="bbbbbbbbbbbb")
    other.save(live.work_dir)
    with pytest.raises(SmokeTestError, match="'aaaaaaaaaaaa', expected 'bbbbbbbbbbbb'"):
        smoke_test.run(live, Clients())


def test_silent_api_ends_at_the_deadline(live: Settings, free_port: int) -> None:
    api = dataclasses.replace(Api.load(live.work_dir), api_url=f"http://127.0.0.1:{free_port}")
    api.save(live.work_dir)
    hasty = dataclasses.replace(live, deploy=dataclasses.replace(live.deploy, smoke_timeout=1))
    message = r"did not answer within 1 s \(--smoke-timeout\).*serves now"
    with pytest.raises(SmokeTestError, match=message):
        smoke_test.run(hasty, Clients())


def test_way_back_is_told_where_there_is_one(release: Make) -> None:
    clients = Clients()
    deploy_endpoint.run(release("aaaaaaaaaaaa"), clients)
    settings = release("bbbbbbbbbbbb")
    deploy_endpoint.run(settings, clients)
    create_api.run(settings, clients)
    evaluation = Evaluation.load(settings.work_dir)
    golden = [GoldenAnswer("a good film", "NEGATIVE", 0.9)]
    dataclasses.replace(evaluation, golden=golden).save(settings.work_dir)
    before = Release.load(settings.work_dir).previous_endpoint_config_name
    with pytest.raises(SmokeTestError, match=f"To go back: .*--endpoint-config-name {before}"):
        smoke_test.run(settings, clients)
