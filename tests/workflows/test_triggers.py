"""Which changes start a workflow, and which start nothing."""

import pytest

from tests.workflows.running import Executor


@pytest.mark.parametrize(
    ("changed", "ref", "result"),
    [
        (["src/a/b.py", "README.md"], "refs/heads/main", "success"),
        (["pipeline.toml"], "refs/heads/release/1", "success"),
        (["src/a/b.py"], "refs/heads/other", "skipped"),
        (["README.md", "sub/some.toml"], "refs/heads/main", "skipped"),
        (["src/a.md"], "refs/heads/main", "skipped"),
    ],
)
def test_push_starts_what_its_filters_let_through(
    execute_fixture: Executor, changed: list[str], ref: str, result: str
) -> None:
    run = execute_fixture("filters.yml", changed=changed, ref=ref)
    assert (run.result, bool(run.jobs)) == (result, result == "success")


@pytest.mark.parametrize(("extra", "result"), [([], "skipped"), (["a.py"], "success")])
def test_pull_request_of_documents_alone_starts_nothing(
    execute_fixture: Executor, extra: list[str], result: str
) -> None:
    changed = ["docs/a.md", *extra]
    run = execute_fixture("filters.yml", event="pull_request", changed=changed)
    assert run.result == result
