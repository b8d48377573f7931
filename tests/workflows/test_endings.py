"""Runs that are cancelled, and work that takes too long."""

from tests.workflows.running import Executor


def test_cancelled_run_ends_its_step_and_cleans_up(execute_fixture: Executor) -> None:
    run = execute_fixture("ending.yml", cancel={"slow/listens": "started"})
    assert (run.result, run.cancelled) == ("cancelled", True)
    assert run.results() == {
        "slow": "cancelled", "next": "skipped", "mourner": "success", "always": "success",
    }  # fmt: skip
    slow = run.jobs["slow"]
    assert {step.name: step.outcome for step in slow.steps} == {
        "Listens": "cancelled", "Not run any more": "skipped", "Cleans up": "success",
        "Only after a failure": "skipped", "Always": "success",
    }  # fmt: skip
    assert slow.step("listens").log == ["started", "asked to end"]
    assert run.jobs["mourner"].steps[0].log == ["slow was cancelled"]


def test_late_step_fails(execute_fixture: Executor) -> None:
    job = execute_fixture("late.yml", minute_seconds=1).jobs["step"]
    assert job.result == "failure"
    assert [step.outcome for step in job.steps] == ["failure", "success"]
    assert job.errors() == ["The action 'Late' has timed out after 1 minutes."]


def test_late_job_is_cancelled_and_its_child_hears_nothing(execute_fixture: Executor) -> None:
    run = execute_fixture("late.yml", minute_seconds=1)
    job = run.jobs["job"]
    assert job.result == "cancelled"
    assert "exceeded the maximum execution time of 1 minutes" in job.errors()[0]
    # The child of the shell was told of nothing: it is the shell that was ended, and it was killed.
    assert job.step("Child").log == []
    assert run.jobs["after"].steps[0].log == ["cancelled"]
