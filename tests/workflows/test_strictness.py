"""What GitHub would pass over ends a run here, and so does a test that proves nothing."""

import re

import pytest

from tests.workflows.running import ROOT, Executor, WorkflowError


@pytest.mark.parametrize(
    ("workflow", "good", "bad", "error"),
    [
        ("needs", "needs: bad", "needs: worse", "depends on unknown job 'worse'"),
        ("needs", "needs.good.outputs.word", "needs.good.outputs.wodr", "outputs.wodr is unknown"),
        ("needs", "needs.after-bad.result", "needs.bad.result", "needs.bad is unknown"),
        ("needs", "steps.say.outputs.word", "steps.said.outputs.word", "steps.said is unknown"),
        ("needs", "steps.say.outputs.word", "steps.say.outputs.werd", "known here: word"),
        ("needs", "ubuntu-24.04", "${{ vars.RUNNER }}", "vars.RUNNER is unknown"),
        ("steps", "env.WHERE", "env.WEHRE", "env.WEHRE is unknown"),
        ("matrix", "matrix.animal", "matrix.anmial", "matrix.anmial is unknown"),
        ("caller", "fromJSON(inputs.number)", "inputs.number", "expected a number"),
        ("caller", "contents: read", "contents: none", "is only allowed 'contents: none'"),
        ("called", "name: staging", "name: stagign", "'stagign' is not set up"),
        ("composite", "word: hello", "wrod: hello", "has no input 'wrod'"),
        ("composite", "word: hello", "{}", "needs the input 'word'"),
        ("composite", "3d3c42e5", "4d3c42e5", "actions.yaml describes 3d3c42e5"),
        ("composite", "actions/checkout@", "actions/chekout@", "is not in tests/workflows/actions"),
        ("artifacts", "retention-days", "retention-day", "has no input 'retention-day'"),
    ],
)
def test_what_github_would_pass_over_is_an_error(
    execute_fixture: Executor, workflow: str, good: str, bad: str, error: str
) -> None:
    file = f".github/workflows/{workflow}.yml"
    text = (ROOT / "tests/workflows/fixtures" / file).read_text(encoding="utf-8")
    assert good in text
    started = "caller.yml" if workflow == "called" else f"{workflow}.yml"

    with pytest.raises(WorkflowError, match=re.escape(error)):
        execute_fixture(
            started,
            changes={file: text.replace(good, bad)},
            inputs={} if started == "caller.yml" else None,
            secrets={"PASSWORD": "1234"},
            environments={"staging": {"vars": {"PLACE": "here"}}},
        )


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"number": "many"}, "'number' is 'many', expected a number"),
        ({"loud": "maybe"}, "'loud' is 'maybe', expected true or false"),
        ({"size": "huge"}, "'huge' is no option of 'size'"),
        ({"sise": "small"}, "has no input 'sise'"),
    ],
)
def test_form_refuses_what_it_does_not_offer(
    execute_fixture: Executor, inputs: dict[str, str], error: str
) -> None:
    with pytest.raises(WorkflowError, match=error):
        execute_fixture("caller.yml", inputs=inputs)


def test_workflow_starts_on_its_events_only(execute_fixture: Executor) -> None:
    with pytest.raises(WorkflowError, match="does not start on 'pull_request', but on: push"):
        execute_fixture("steps.yml", event="pull_request")


def test_injection_that_meets_nothing_is_an_error(execute_fixture: Executor) -> None:
    with pytest.raises(WorkflowError, match="met no job and no step: fail good/saay"):
        execute_fixture("needs.yml", fail={"good/saay": "no"})


def test_stub_knows_the_outputs_of_its_job(execute_fixture: Executor) -> None:
    with pytest.raises(WorkflowError, match="has unknown outputs: wodr"):
        execute_fixture("needs.yml", stub={"good": {"wodr": "x"}})


def test_failures_are_injected(execute_fixture: Executor) -> None:
    run = execute_fixture(
        "needs.yml",
        fail={"good/say": "no breath left", "not-cancelled": "the runner is lost"},
        stub={"bad": {"never": ""}},
    )
    assert run.jobs["good"].errors() == ["no breath left"]
    assert run.jobs["good"].outputs == {"word": ""}
    assert run.jobs["not-cancelled"].errors() == ["the runner is lost"]
    assert run.jobs["after-bad"].result == "success"


def test_step_can_fail_after_its_work(execute_fixture: Executor) -> None:
    good = execute_fixture("needs.yml", fail={"good/say": "after"}).jobs["good"]
    assert (good.result, good.outputs) == ("failure", {"word": "hello"})
