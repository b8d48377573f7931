"""What takes the place of actions, of `gh` and of pip."""

from tests.workflows.running import Executor

ROLE = "arn:aws:iam::123456789012:role/deploy"
AWS = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "MODEL_BUCKET": "not-handed-on"}


def test_artifact_arrives_as_it_was(execute_fixture: Executor) -> None:
    run = execute_fixture("artifacts.yml")
    assert run.result == "success"
    assert run.jobs["use"].step("Look").log == ["./in/a.txt", "./in/sub/b.txt"]
    (made,) = run.artifacts
    assert (made.name, made.days, made.job) == ("made", 5, "make")
    assert run.jobs["make"].outputs["digest"] == made.digest
    # AND a name is taken once, and nothing to upload is a warning
    assert run.jobs["make"].step("Twice").outcome == "failure"
    warnings = [each.message for each in run.jobs["make"].annotations if each.level == "warning"]
    assert "No files were found" in warnings[0]


def test_damaged_artifact_is_refused(execute_fixture: Executor) -> None:
    run = execute_fixture("artifacts.yml", corrupt={"made"})
    assert run.results() == {"make": "success", "use": "failure"}
    assert run.jobs["use"].errors() == [
        "The digest of the artifact 'made' is not that of its upload."
    ]


def test_cache_outlives_the_run(execute_fixture: Executor) -> None:
    first, second = (execute_fixture("artifacts.yml").jobs["make"] for _ in range(2))
    assert (first.step("Make").text, second.step("Make").text) == ("found: nothing", "found: kept")
    assert second.step("restore").outputs["cache-hit"] == "true"


def test_rights_are_those_of_the_job(execute_fixture: Executor) -> None:
    run = execute_fixture("rights.yml", vars={"ROLE": ROLE}, aws=AWS)
    assert run.results() == {
        "login": "success", "without-token": "failure", "without-anything": "failure",
        "dispatches": "success", "dispatches-without-right": "failure",
    }  # fmt: skip
    assert run.jobs["login"].step("look").log == ["key *** at http://127.0.0.1:9"]
    assert run.jobs["login"].outputs == {"region": "eu-west-1"}
    assert run.logins[0]["role"] == ROLE
    assert [each["name"] for each in run.attestations] == ["model.tar.gz"]
    assert "'id-token: write', which this job lacks" in run.jobs["without-token"].errors()[0]
    assert "'contents: read', which this job lacks" in run.jobs["without-anything"].errors()[0]
    assert run.dispatches == [{"workflow": "caller.yml", "ref": "main", "inputs": {"number": "4"}}]


def test_pull_request_of_a_fork_may_only_read(execute_fixture: Executor) -> None:
    run = execute_fixture(
        "rights.yml",
        event="pull_request",
        is_fork=True,
        vars={"ROLE": ROLE},
        unset=["ROLE"],
        aws=AWS,
    )
    assert run.jobs["login"].permissions["id-token"] == "none"
    assert "no role-to-assume is given" in run.jobs["login"].errors()[0]
    assert run.dispatches == []


def test_job_has_only_what_it_installed(execute_fixture: Executor) -> None:
    job = execute_fixture("python.yml").jobs["job"]
    outcomes = {step.name: step.outcome for step in job.steps[1:]}
    assert outcomes == {
        "Before": "failure", "Install": "success", "After": "success",
        "What was not asked for": "failure", "Another version": "failure",
    }  # fmt: skip
    assert job.step("After").text.endswith("/jobs/job/python")
    assert "No matching distribution found for dacite==1.0.0" in job.step("Another version").text
