"""A CloudFormation stack: its changes are shown before they are made, its failures with reasons.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from pipeline_steps import object_versions
from pipeline_steps.aws import is_missing
from pipeline_steps.errors import PipelineError

UNCHANGED = ("didn't contain changes", "No updates are to be performed")
CANCELLED = "Resource creation cancelled"  # what AWS says of those that failed with another
NOT_THERE = "does not exist"
NOT_BEGUN = "nothing begun"
WAITING = ("_IN_PROGRESS", NOT_BEGUN)  # ends of a status that will be another
CHANGE_SET_SECONDS = 300


class StackError(PipelineError):
    """CloudFormation did not bring the stack to what was asked for."""


@dataclass(frozen=True)
class Change:
    """One resource that a change set would add, modify or remove."""

    action: str
    resource: str
    kind: str
    replaced: bool


@dataclass(frozen=True)
class ChangeSet:
    """Changes that AWS has worked out and not made yet."""

    name: str
    creates: bool
    changes: list[Change]


class Stack:
    """A stack by its name.

    Args:
        cloudformation: boto3's client.
        name: of the stack.
        timeout: seconds to wait for it at most.
        poll: seconds between two looks at it.
    """

    def __init__(self, cloudformation: Any, name: str, timeout: float, poll: float) -> None:
        self.name = name
        self._cloudformation, self._timeout, self._poll = cloudformation, timeout, poll

    def describe(self) -> dict[str, Any] | None:
        """The stack as it is; None where there is none, or only a proposal for it."""
        found = self._find(self.name)
        return None if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS" else found

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            found = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if NOT_THERE in error.response["Error"]["Message"]:
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else dict(found)

    def resources(self) -> list[dict[str, Any]]:
        """What the stack has made, as CloudFormation lists it."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=self.name
        )
        found = (item for page in pages for item in page["StackResourceSummaries"])
        return [
            item
            for item in found
            if item.get("PhysicalResourceId") and item["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    def propose(
        self, template: str, parameters: dict[str, str], tags: dict[str, str]
    ) -> ChangeSet | None:
        """Have AWS work out what would change; None where nothing would.

        Raises:
            StackError: AWS does not take the template or a parameter.
        """
        creates = self.describe() is None
        name = f"bootstrap-{uuid.uuid4().hex[:12]}"
        self._cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if creates else "UPDATE",
            ClientToken=name,
            TemplateBody=template,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        try:
            self._await_change_set(name)
        except WaiterError as error:
            found = self._cloudformation.describe_change_set(
                StackName=self.name, ChangeSetName=name
            )
            reason = found.get("StatusReason", str(error))
            self.discard(ChangeSet(name, creates, []))
            if any(words in reason for words in UNCHANGED):
                return None
            raise StackError(f"CloudFormation refuses the change: {reason}") from error
        return ChangeSet(name, creates, list(self._changes(name)))

    def _await_change_set(self, name: str) -> None:
        attempts = max(1, int(CHANGE_SET_SECONDS / self._poll))
        self._cloudformation.get_waiter("change_set_create_complete").wait(
            StackName=self.name,
            ChangeSetName=name,
            WaiterConfig={"Delay": self._poll, "MaxAttempts": attempts},
        )

    def _changes(self, name: str) -> Iterator[Change]:
        pages = self._cloudformation.get_paginator("describe_change_set").paginate(
            StackName=self.name, ChangeSetName=name
        )
        for change in (change["ResourceChange"] for page in pages for change in page["Changes"]):
            yield Change(
                action=change["Action"],
                resource=change["LogicalResourceId"],
                kind=change["ResourceType"],
                replaced=change.get("Replacement") == "True",
            )

    def discard(self, change_set: ChangeSet) -> None:
        """Forget a change set, and the empty stack that it was to create."""
        self._cloudformation.delete_change_set(StackName=self.name, ChangeSetName=change_set.name)
        if change_set.creates:
            self._cloudformation.delete_stack(StackName=self.name)

    def apply(self, change_set: ChangeSet) -> None:
        """Make the changes and wait for their end.

        Raises:
            StackError: something failed; the message says what and why.
        """
        before = self._newest_event()
        self._cloudformation.execute_change_set(
            StackName=self.name,
            ChangeSetName=change_set.name,
            ClientRequestToken=change_set.name,
        )
        self.settle(before)

    def delete(self) -> None:
        """Delete the stack and wait until it is gone.

        Raises:
            StackError: something cannot be deleted; the message says what and why.
        """
        before = self._newest_event()
        self._cloudformation.delete_stack(StackName=self.name)
        self.settle(before)

    def settle(self, before: str | None = None) -> None:
        """Wait until nothing is in progress, printing what happens.

        Args:
            before: the newest event before something was asked for: CloudFormation may tell the
                status of before for a moment, so it counts only once there is a newer one.

        Raises:
            StackError: it ended in a failure, or has not ended in time.
        """
        told: set[str] = set()
        deadline = time.monotonic() + self._timeout
        while (status := self._status_since(before)).endswith(WAITING):
            self._tell_news(told)
            if time.monotonic() > deadline:
                raise StackError(
                    f"The stack {self.name!r} is still {status} after {self._timeout:.0f} s. "
                    "Run the same command again: it waits on."
                )
            time.sleep(self._poll)
        if "ROLLBACK" in status or status.endswith("_FAILED"):
            raise StackError(f"The stack {self.name!r} is {status}. {self.failures()}")

    def _status_since(self, before: str | None) -> str:
        # In this order: a status that is read after the newer event is not that of before it.
        begun = before is None or self._newest_event() != before
        found = self._find(self.name)
        if found is None:
            return "DELETE_COMPLETE"
        status: str = found["StackStatus"]
        return status if begun or status.endswith(WAITING) else f"{status}, {NOT_BEGUN}"

    def _newest_event(self) -> str | None:
        try:
            found = self._cloudformation.describe_stack_events(StackName=self.name)
        except ClientError as error:
            if NOT_THERE in error.response["Error"]["Message"]:
                return None
            raise
        return next((event["EventId"] for event in found["StackEvents"]), None)

    def _tell_news(self, told: set[str]) -> None:
        for item in self.resources():
            line = f"  {item['ResourceStatus']:<28} {item['LogicalResourceId']}"
            if line not in told:
                told.add(line)
                print(line, flush=True)

    def failures(self) -> str:
        """What failed, newest first, with AWS's reasons; a sentence for people."""
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=self.name
        )
        failed = [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): "
            f"{event.get('ResourceStatusReason', 'no reason is given')}"
            for page in pages
            for event in page["StackEvents"]
            if event["ResourceStatus"].endswith("_FAILED")
            and CANCELLED not in event.get("ResourceStatusReason", "")
        ]
        return "What failed: " + "; ".join(failed[:5]) if failed else "AWS gives no reason."


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every version and delete marker; CloudFormation deletes empty buckets only.

    Raises:
        StackError: something in it cannot be deleted.
    """
    try:
        object_versions.delete_all(s3, bucket, StackError)
    except ClientError as error:
        if not is_missing(error):
            raise
