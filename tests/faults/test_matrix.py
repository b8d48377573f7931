"""Each operation of each step with one fault; `make bench-reliability` has every call and fault."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from bench.faults.flows import FLOWS
from bench.faults.injection import DENIED, FAULTS, KILLED_AFTER, ONCE, Call
from bench.faults.matrix import ABANDONED, Flow, Matrix, sample
from bench.faults.world import SHIP
from pipeline_steps import aws, garbage
from pipeline_steps.__main__ import RELEASE_STEPS
from pipeline_steps.errors import PipelineError

STRIDES = {"teardown": 3}  # it lists each kind of thing thrice: a third of that is enough here


@pytest.fixture(scope="module")
def tried() -> set[tuple[str, str]]:
    """The steps and operations that a flow before has tried."""
    return set()


@pytest.mark.parametrize("name", FLOWS)
def test_every_operation_survives_a_fault(
    matrix: Matrix, all_flows: dict[str, Flow], tried: set[tuple[str, str]], name: str
) -> None:
    flow = all_flows[name]
    calls = matrix.record(flow)
    new = [call for call in calls if (call.step, call.operation) not in tried]
    tried |= {(call.step, call.operation) for call in new}
    pairs = sample(new, flow.faults)[:: STRIDES.get(name, 1)]
    cells = [matrix.cell(flow, call, fault) for call, fault in pairs]
    assert cells
    assert [(cell.call, cell.fault, cell.problems) for cell in cells if cell.problems] == []


def test_flows_are_all_named(all_flows: dict[str, Flow]) -> None:
    assert {name: flow.faulted or flow.steps for name, flow in all_flows.items()} == FLOWS
    assert tuple(RELEASE_STEPS) == SHIP


def test_sample_has_every_kind_of_fault(matrix: Matrix, all_flows: dict[str, Flow]) -> None:
    flow = all_flows["update"]
    pairs = sample(matrix.record(flow), flow.faults)
    assert {fault for _, fault in pairs} == {*FAULTS, ABANDONED}
    assert len({(call.step, call.operation) for call, _ in pairs}) == len(pairs)


def test_what_is_left_behind_is_seen(
    matrix: Matrix, all_flows: dict[str, Flow], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = all_flows["update"]
    calls = matrix.record(flow)
    monkeypatch.setattr(garbage, "collect", lambda *_: [])
    cell = matrix.cell(flow, _only(calls, "UpdateEndpoint"), KILLED_AFTER)
    assert any("too many: model <name>" in problem for problem in cell.problems)


def test_unclear_message_is_seen(
    matrix: Matrix, all_flows: dict[str, Flow], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def muttering(*_: object) -> Iterator[None]:
        try:
            yield
        except ClientError:
            raise PipelineError("It did not work.") from None

    flow = all_flows["mail"]
    calls = matrix.record(flow)
    monkeypatch.setattr(aws, "aws_errors", muttering)
    cell = matrix.cell(flow, _only(calls, "SendEmail"), DENIED)
    assert "does not name SendEmail: It did not work." in cell.problems[0]
    assert len(cell.problems) == 2


def test_call_that_is_not_made_is_seen(matrix: Matrix, all_flows: dict[str, Flow]) -> None:
    matrix.record(all_flows["mail"])
    cell = matrix.cell(all_flows["mail"], Call("notify", "s3", "PutObject", 1), ONCE)
    assert cell.problems == ["the call was not made in this run"]


def _only(calls: list[Call], operation: str) -> Call:
    return next(call for call in calls if call.operation == operation)
