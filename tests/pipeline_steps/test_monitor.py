"""The monitor: the right lines of the right model, judged in words, from any machine."""

import dataclasses
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from local_aws.server import BUCKET, LocalAws
from pipeline_steps import (
    create_alarms,
    create_api,
    deploy_endpoint,
    live_answers,
    monitor,
    smoke_test,
)
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.monitor import MonitorReport
from pipeline_steps.release_artefacts import Api
from pipeline_steps.settings import Settings
from tests.pipeline_steps.live_log import (
    BASELINE,
    GROUP,
    VERSION,
    ago,
    like_the_evaluation,
    line,
    log,
    release_to,
    released,
)


@pytest.fixture
def settings(aws: LocalAws, tmp_path: Path) -> Settings:
    """Settings of an environment that released two days ago, on a machine without its files."""
    assert aws
    return released(tmp_path / "build")


def seen(settings: Settings) -> MonitorReport:
    assert monitor.run(settings, Clients()).status == "done"
    return MonitorReport.load(settings.environment_dir)


def test_same_answers_are_no_drift(settings: Settings) -> None:
    log(like_the_evaluation(400))
    report = seen(settings)
    assert report.verdict == "no drift"
    assert "51% of 401 answers are POSITIVE, 51% in the evaluation (PSI 0.00)" in report.summary
    assert "texts have 100 characters, 104 in the evaluation" in report.summary
    assert "0.40% of tokens are unknown, 0.30% in the evaluation" in report.summary
    assert (report.model_version, report.live.rows, report.evaluated) == (VERSION, 401, BASELINE)


def test_other_answers_are_drift(settings: Settings) -> None:
    log([line()] * 180 + [line("NEGATIVE", 0.99)] * 20)
    report = seen(settings)
    assert report.verdict == "drift"
    assert report.summary.startswith("drift: 90% of 200 answers are POSITIVE, 51% in")
    assert report.labels
    assert report.labels.psi > 0.25
    assert report.labels.level == "drift"


def test_less_certain_answers_are_drift_too(settings: Settings) -> None:
    log([line("POSITIVE", 0.55)] * 100 + [line("NEGATIVE", 0.55)] * 100)
    report = seen(settings)
    assert report.labels
    assert report.scores
    assert (report.labels.level, report.scores.level) == ("no drift", "drift")
    assert report.verdict == "drift"


def test_few_requests_are_not_judged(settings: Settings) -> None:
    log([line()] * 37)
    report = seen(settings)
    assert report.summary == "too few requests (37 of 100) to judge"
    assert (report.verdict, report.labels) == ("cannot judge", None)


def test_function_without_log_has_no_requests(settings: Settings) -> None:
    Clients().logs.delete_log_group(logGroupName=GROUP)
    assert "(0 of 100)" in seen(settings).summary


def test_only_the_live_model_counts(settings: Settings) -> None:
    log(like_the_evaluation(150))
    # GIVEN answers of another model, and lines of other kinds that name this one
    log([line(model_version="ffffffffffff")] * 300, stream="other")
    log([f"INFO {VERSION} is loaded", {"model_version": VERSION, "ModelErrors": 1}, "[]", "{}"])
    log([line("NEUTRAL"), line(score=7.0), line(score=None), f'["{VERSION}"]'])
    assert seen(settings).live.rows == len(like_the_evaluation(150))


def test_lines_without_unknown_tokens_count(settings: Settings) -> None:
    without = line()
    del without["UnknownTokenShare"]
    log([without] * 100)
    report = seen(settings)
    assert (report.live.rows, report.live.unknown_token_share) == (100, None)
    assert "unknown" not in report.summary


def test_only_the_last_hours_count(settings: Settings) -> None:
    log([line()] * 50, when=ago(hours=25))
    log([line()] * 10, when=ago(hours=23))
    assert seen(settings).live.rows == 10


def test_requests_before_the_release_do_not_count(settings: Settings) -> None:
    # GIVEN the same model, released again ten minutes ago, and the requests of its smoke test
    release_to(settings, "ffffffffffff", ago(minutes=30))
    release_to(settings, when=ago(minutes=10))
    log([line()] * 32, when=ago(minutes=11))
    log([line()] * 5, when=ago(minutes=9))
    assert seen(settings).live.rows == 5


def test_sample_is_bounded_and_even(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_answers, "MOST", 240)
    for hour in range(24):
        log([line()] * 30, when=ago(hours=hour + 0.5))
    reader = live_answers.AnswerLog(Clients().logs, GROUP, VERSION)
    assert len(reader.read(ago(hours=24), ago(), enough=1)) == 24 * 10
    # What makes a sample large enough is never sampled away.
    assert len(reader.read(ago(hours=24), ago(), enough=25)) == 24 * 25


def test_every_event_is_read_once(settings: Settings) -> None:
    begin = ago(hours=1).replace(microsecond=0)
    # GIVEN requests at each edge of the 24 slices, one millisecond before, and in between
    for slice_number in range(24):
        edge = begin + timedelta(seconds=150 * slice_number)
        for milliseconds in (0, 75_000, 149_999):
            log([line()], when=edge + timedelta(milliseconds=milliseconds))
    reader = live_answers.AnswerLog(Clients().logs, GROUP, VERSION)
    assert len(reader.read(begin, begin + timedelta(hours=1), enough=1)) == 72


def test_evaluation_without_baseline_cannot_judge(settings: Settings) -> None:
    release_to(settings, "ffffffffffff", ago(hours=1), baseline=None)
    report = seen(settings)
    assert report.verdict == "cannot judge"
    assert "ship it again" in report.summary


def test_job_learns_whether_it_is_drift(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    output.write_text("before=1\n", encoding="utf-8")
    seen(settings)
    log([line()] * 200)
    seen(settings)
    assert output.read_text(encoding="utf-8") == "before=1\ndrift=false\ndrift=true\n"


def test_nothing_released_is_told(aws: LocalAws, tmp_path: Path) -> None:
    settings = settings_module.load("demo", tmp_path / "build")
    with pytest.raises(ConfigurationError, match="Nothing was released to production"):
        monitor.run(settings, Clients())


def test_lost_evaluation_is_told(settings: Settings) -> None:
    key = f"{settings.deploy.name}/{VERSION}/{'f' * 16}/evaluation.json"
    Clients().s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(DeployError, match=r"evaluation\.json"):
        monitor.run(settings, Clients())


def test_live_api_is_watched_from_anywhere(release: Callable[..., Settings]) -> None:
    # GIVEN a release with a baseline, its alarms, and clients that ask for good films only
    settings = release(monitor_requests=40)
    evaluation = Evaluation.load(settings.work_dir)
    dataclasses.replace(evaluation, baseline=BASELINE).save(settings.work_dir)
    for step in (deploy_endpoint, create_api, smoke_test, create_alarms):
        step.run(settings, Clients())
    url = Api.load(settings.environment_dir).api_url
    with requests.Session() as session:
        for _ in range(40):
            assert session.post(f"{url}/predict", json={"inputs": "a good film"}, timeout=60).ok
        assert session.post(f"{url}/predict", json={"inputs": ""}, timeout=60).status_code == 422
    # WHEN another machine looks
    shutil.rmtree(settings.build_dir)
    deadline = time.monotonic() + 20
    while (report := seen(settings)).live.rows < 40:
        assert time.monotonic() < deadline, report.summary
        time.sleep(0.05)
    # THEN it counts these requests, and not those of the smoke test
    assert report.live.rows == 40
    assert report.live.labels == {"NEGATIVE": 0, "POSITIVE": 40}
    assert report.live.mean_characters == len("a good film")
    assert report.live.unknown_token_share is None
    assert report.verdict == "drift"
