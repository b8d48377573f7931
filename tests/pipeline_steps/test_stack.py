"""A stack's status counts once it is newer than what was asked for; bootstrap tests the rest."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline_steps.stack import ChangeSet, Stack, StackError

STACK = "t5-sentiment-bootstrap"


def test_status_of_before_does_not_count() -> None:
    # GIVEN an update, and then a deletion, of which AWS first tells what was before them
    told = Told(["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
    stack = Stack(told, STACK, timeout=60, poll=0.001)
    with pytest.raises(StackError, match="is UPDATE_ROLLBACK_COMPLETE"):
        stack.apply(ChangeSet("change", creates=False, changes=[]))
    told = Told(["CREATE_COMPLETE", "CREATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_FAILED"])
    with pytest.raises(StackError, match="is DELETE_FAILED"):
        Stack(told, STACK, timeout=60, poll=0.001).delete()


def test_what_never_begins_is_told() -> None:
    told = Told(["CREATE_COMPLETE"])
    with pytest.raises(StackError, match="still CREATE_COMPLETE, nothing begun after 0 s"):
        Stack(told, STACK, timeout=0, poll=0.001).delete()


class Told:
    """CloudFormation that tells these statuses, one after the other; events begin with the second.

    The local AWS is done at once, and never behind.
    """

    def __init__(self, statuses: list[str]) -> None:
        self.statuses, self.first = statuses, statuses[0]

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"Stacks": [{"StackName": StackName, "StackStatus": status}]}

    def describe_stack_events(self, **_: str) -> dict[str, Any]:
        begun = self.statuses[0] != self.first
        return {"StackEvents": [{"EventId": "newer" if begun else "older"}]}

    def get_paginator(self, _: str) -> Any:
        empty: dict[str, list[Any]] = {"StackEvents": [], "StackResourceSummaries": []}
        return SimpleNamespace(paginate=lambda **_: [empty])

    def execute_change_set(self, **_: str) -> None:
        """Ask for the change."""

    def delete_stack(self, **_: str) -> None:
        """Ask for the deletion."""
