"""A merge that ships: from the commit to an answering API, and what a failure leaves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.conftest import find_free_port
from tests.pipeline_steps.inbox import opened
from tests.workflows.running import ROOT, Executor, Run
from tests.workflows.shipping import EASY, JOBS, QUICK, Repository, went_well


@pytest.fixture(scope="module")
def repository(
    executor: Executor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Repository]:
    """One repository with its AWS, for what happens to it one after the other."""
    folder: Path = tmp_path_factory.mktemp("shipped")
    with (
        pytest.MonkeyPatch.context() as patch,
        LocalAws(folder / "aws", port=0, api_port=0) as aws,
        opened(find_free_port()) as inbox,
    ):
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        yield Repository(executor, aws, inbox)


def test_push_of_documents_ships_nothing(repository: Repository) -> None:
    run = repository.run("ship.yml", changed=["README.md", "docs/api.md", "tests/conftest.py"])
    assert (run.result, run.jobs) == ("skipped", {})


def test_push_of_one_file_that_matters_ships(repository: Repository) -> None:
    stub = went_well(*JOBS, "summary", "notify")
    run = repository.run("ship.yml", changed=["README.md", "model/modeling.py"], stub=stub)
    assert run.results()["pipeline.deploy-production"] == "success"


@pytest.fixture(scope="module")
def shipped(repository: Repository) -> Run:
    """The first merge."""
    return repository.run("ship.yml")


def test_merge_ends_with_an_answering_production(repository: Repository, shipped: Run) -> None:
    assert shipped.results() == {
        f"pipeline.{name}": "success" for name in (*JOBS, "summary", "notify")
    } | {"pipeline": "success"}
    version = (
        shipped.outputs.get("model_version")
        or shipped.jobs["pipeline.check-data"].outputs["model_version"]
    )
    assert repository.answers() == f"200 {version}"
    # AND the API's page links to this run, which has the report
    assert 'data-report="https://github.com/someone/t5-sentiment/actions/runs/1234567890"' in (
        repository.api_page()
    )
    assert "report.html" in {kept.name for kept in shipped.artifacts}
    # AND the run's page and the mail say so
    page = shipped.jobs["pipeline.summary"].summary
    assert page.startswith(f"# ✅ {version} is live")
    assert "xychart-beta" in page
    subject, text = repository.mailed()
    assert subject == f"[T5 Sentiment] demo: {version} is live"
    assert "The new version serves in production." in text
    assert "merger (push): Shorter sentences (#12)" in text
    # AND what was deployed is attested, and was packed in this run
    assert len(shipped.attestations) == 1
    assert {login["environment"] for login in shipped.logins} == {"staging", "production"}


def test_unchanged_model_is_not_trained_again(repository: Repository, shipped: Run) -> None:
    before = repository.answers()
    run = repository.run("ship.yml")
    assert run.result == "success"
    assert run.jobs["pipeline.train"].result == "skipped"
    assert repository.answers() == before
    repository.mailed()


def test_model_below_the_bar_is_not_deployed(repository: Repository, shipped: Run) -> None:
    before = repository.answers()
    inputs = {"profile": "demo", "min_accuracy": "0.999", "deploy": "production"}
    run = repository.run("retrain.yml", inputs=inputs)
    results = run.results()
    assert results["pipeline.evaluate"] == "failure"
    assert results["pipeline.package"] == results["pipeline.deploy-staging"] == "skipped"
    assert repository.answers() == before
    # THEN annotation, page and mail say why, and the report of the refused model is linked
    assert "below the bar of 0.999" in run.jobs["pipeline.evaluate"].errors()[0]
    assert "below the bar of 0&#46;999" in run.summaries() or "below the bar" in run.summaries()
    (report,) = [kept for kept in run.artifacts if kept.name == "report.html"]
    assert report.days == 90
    link = f"/actions/runs/1234567890/artifacts/{report.id}"
    assert f"{link})" in run.summaries()
    subject, text = repository.mailed()
    assert "failed in evaluate" in subject
    assert "below the bar of 0.999" in text
    assert link in text
    assert "Production is untouched." in text


def test_model_below_the_bar_ships_for_a_reason(repository: Repository, shipped: Run) -> None:
    why = "the old one answers `so much` worse"
    inputs = {"profile": "demo", "min_accuracy": "0.999", "deploy": "production", "override": why}
    run = repository.run("retrain.yml", inputs=inputs)
    assert run.results()["pipeline.deploy-production"] == "success"
    # THEN the artefact, the run's page and the mail have the reason
    manifests = repository.uploaded("manifest.json")
    assert [manifest for manifest in manifests if manifest["override"] == why]
    page = run.jobs["pipeline.summary"].summary
    assert "A rule of the gate failed, and was overridden" in page
    assert "the old one answers" in page
    subject, text = repository.mailed()
    assert "is live" in subject
    assert f"Gate overridden: {why}" in text


@pytest.mark.parametrize(
    ("failing", "step"),
    [
        ("test", "test"),
        ("check-data", "check_data"),
        ("train", "train"),
        ("evaluate", "export"),
        ("package", "package_model"),
        ("deploy-staging", "deploy_endpoint"),
        ("deploy-production", "deploy_endpoint"),
    ],
)
def test_whichever_job_fails_is_mailed(repository: Repository, failing: str, step: str) -> None:
    # GIVEN jobs before it that went well
    index = JOBS.index(failing)
    done = went_well(*JOBS[:index], *(["summary"] if index else []))
    if index > 1:
        done[f"pipeline.{failing}/download"] = {}
    fail = {f"pipeline.{failing}/{step}": "no memory left"}
    run = repository.run("ship.yml", fail=fail, stub=done)
    assert run.result == "failure"
    after = JOBS[index + 1 :]
    assert {run.results()[f"pipeline.{name}"] for name in after} <= {"skipped"}
    subject, text = repository.mailed()
    assert f"failed in {step}" in subject
    assert f"Failed job: {failing}" in text
    assert f"The step '{step}' of the job '{failing}' ended with 'failure'" in text
    reached = failing == "deploy-production"
    assert ("Production was reached" if reached else "Production is untouched.") in text


BROKEN_IN_PRODUCTION = """


_right = handler


def handler(event, context):
    if os.environ["ENDPOINT_NAME"].endswith("-staging"):
        return _right(event, context)
    return {"statusCode": 503, "body": "{}"}
"""


def test_release_that_fails_in_production_is_taken_back(
    repository: Repository, shipped: Run
) -> None:
    # GIVEN a function that passes in staging, and does not in production
    before = repository.answers()
    handler = (ROOT / "lambda" / "handler.py").read_text(encoding="utf-8")
    changes = {"pipeline.toml": EASY, "lambda/handler.py": handler + BROKEN_IN_PRODUCTION}
    run = repository.run("ship.yml", changes=changes, machine=QUICK | {"T5_SMOKE_TIMEOUT": "3"})
    assert run.results()["pipeline.deploy-staging"] == "success"
    assert run.results()["pipeline.deploy-production"] == "failure"
    # THEN the old one answers, and the mail says so
    assert repository.answers() == before
    subject, text = repository.mailed()
    assert "failed in smoke_test (production)" in subject
    assert "The old version serves again in production." in text


def test_damaged_artifact_is_not_deployed(repository: Repository, shipped: Run) -> None:
    before = repository.answers()
    run = repository.run("ship.yml", corrupt={"model"})
    assert run.results()["pipeline.deploy-staging"] == "failure"
    assert repository.answers() == before
    assert "failed in download (staging)" in repository.mailed()[0]
