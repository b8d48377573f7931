"""What GitHub documents of jobs and steps, pinned on small workflows in `fixtures/`."""

import pytest

from tests.workflows.running import Annotation, Executor, Run


@pytest.fixture(scope="module")
def steps(fixtures: Executor) -> Run:
    return fixtures("steps.yml")


@pytest.fixture(scope="module")
def matrix(fixtures: Executor) -> Run:
    return fixtures("matrix.yml")


@pytest.fixture(scope="module")
def told(fixtures: Executor) -> Run:
    return fixtures("summaries.yml", secrets={"PASSWORD": "pass-123"})


@pytest.fixture(scope="module")
def composite(fixtures: Executor) -> Run:
    return fixtures("composite.yml")


def test_status_goes_through_chains_of_needs(execute_fixture: Executor) -> None:
    run = execute_fixture("needs.yml")
    assert run.result == "failure"
    assert run.results() == {
        "good": "success", "bad": "failure", "after-bad": "skipped", "always-after": "success",
        "beyond": "skipped", "mourner": "success", "condition-without-function": "skipped",
        "not-cancelled": "success", "only-when-cancelled": "skipped",
    }  # fmt: skip
    assert run.jobs["always-after"].steps[0].log == ["hello, skipped"]
    assert run.jobs["bad"].errors() == ["Process completed with exit code 3."]


def test_steps_follow_the_status_of_their_job(steps: Run) -> None:
    job = steps.jobs["status"]
    assert {step.name: step.outcome for step in job.steps[1:]} == {
        "After a tolerated failure": "success", "Fails": "failure", "Skipped": "skipped",
        "On failure": "success", "Always": "success", "Needs success all the same": "skipped",
    }  # fmt: skip
    assert job.outputs == {"seen": "failure/success"}
    assert job.step("Fails").exit_code == 7


def test_variables_and_paths_reach_later_steps(steps: Run) -> None:
    job = steps.jobs["variables"]
    assert job.step("Set").log == ["is it there at once? no"]
    assert job.step("Read").log == [
        "job and step | workflow | from a file | found", "one", "two",
        "variables on Linux by merger at the workspace",
    ]  # fmt: skip


def test_shells_are_those_of_the_documentation(steps: Run) -> None:
    job = steps.jobs["shells"]
    assert [step.outcome for step in job.steps] == ["success", "failure", "success", "success"]
    assert (job.step("Python").text, job.step("Another folder").text) == ("from python", "/")
    assert job.runs_on == ["self-hosted", "gpu"]


def test_masked_values_are_shown_nowhere_and_not_handed_on(told: Run) -> None:
    job = told.jobs["told"]
    assert "the word is ***, the password ***" in job.step("tell").log
    assert "hush-hush" not in told.log + told.summaries() + str(job.annotations)
    assert job.outputs == {"plain": "word", "hidden": ""}
    assert told.jobs["reader"].steps[0].log == ["plain 'word', hidden ''"]
    assert job.annotations[-1].message == "Skip output 'hidden' since it may contain secret."


def test_annotations_have_their_place(told: Run) -> None:
    found = told.jobs["told"].annotations
    assert found[0] == Annotation(
        "warning", "It is odd\nand goes on, 100%", "Look", "a.py", 3, "Tell"
    )
    assert [each.level for each in found] == ["warning", "error", "notice", "error", "warning"]
    assert found[1].message == "It is wrong: ***"


def test_summary_above_the_limit_is_lost(told: Run) -> None:
    job = told.jobs["told"]
    assert job.summary == "# The word is ***\n\n" + "y" * 100
    assert "supports content up to a size of 1024k" in job.errors()[-1]
    assert job.result == "success"


def test_matrix_is_expanded(matrix: Run) -> None:
    logs = {path: job.steps[0].log for path, job in matrix.jobs.items() if job.steps}
    assert logs["deploy (staging)"] == ["to staging, 0 of 2"]
    assert logs["deploy (production)"] == ["to production, 1 of 2"]
    combined = {log[0] for path, log in logs.items() if path.startswith("combined")}
    assert combined == {"apple cat pink", "apple dog green", "pear cat pink", "banana  "}


def test_tolerated_job_stops_nothing(matrix: Run) -> None:
    jobs = matrix.jobs
    assert (jobs["tolerated"].outcome, jobs["tolerated"].result) == ("failure", "success")
    assert jobs["after"].result == "success"
    # AND with fail-fast off, the other jobs of a matrix go on
    assert [jobs[f"failing ({number})"].result for number in (1, 2)] == ["failure", "success"]


def test_failed_job_ends_the_others_of_its_matrix(matrix: Run) -> None:
    results = matrix.results()
    assert [results[f"failing-fast ({number})"] for number in (1, 2)] == ["failure", "cancelled"]


def test_reusable_workflow_has_inputs_and_outputs(execute_fixture: Executor) -> None:
    run = execute_fixture(
        "caller.yml",
        inputs={"number": 21, "loud": True},
        secrets={"PASSWORD": "four"},
        environments={"staging": {"vars": {"PLACE": "here"}}},
    )
    assert run.results() == {"call.double": "success", "call": "success", "after": "success"}
    double = run.jobs["call.double"]
    assert double.steps[0].log == ["place here, handed on no, password of 4 characters"]
    assert double.step("Loud").log == ["LOUD word workflow_dispatch"]
    assert (double.environment, double.environment_url) == ("staging", "https://here.example.com")
    assert double.permissions == {"contents": "read"}
    assert run.jobs["after"].steps[0].log == ["42, small"]


def test_composite_action_has_a_status_of_its_own(composite: Run) -> None:
    job = composite.jobs["use"]
    assert job.step("Use it").log == ["hello from outer, seen later"]
    # GIVEN an action that fails and is tolerated, and one that runs after the job has failed
    within = [step.outcome for step in job.steps if step.name == "Within"]
    after = [step.outcome for step in job.steps if step.name == "Within, after a failure"]
    assert within == ["success", "failure", "success"]
    assert after == ["skipped", "success", "skipped"]
    assert job.step("Is the job's status still good?").outcome == "success"


def test_local_action_needs_a_checkout(composite: Run) -> None:
    job = composite.jobs["without-checkout"]
    assert "Can't find 'action.yml'" in job.errors()[0]
