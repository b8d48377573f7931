"""Calls × faults: each call that a flow makes is broken in each way, and the flow is run again.

A cell survives when production answered all the while, the run was either not disturbed or said
which call failed and what to do, a clean second run completes, and nothing is left in the account
that a clean run would not leave.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from bench.faults.injection import (
    ALWAYS,
    DENIED,
    FAULTS,
    KILLED_AFTER,
    KILLED_BEFORE,
    ONCE,
    SERVER_ERROR,
    TIMEOUT,
    Call,
    Injector,
    Killed,
)
from bench.faults.poller import Poller
from bench.faults.world import Site, World
from pipeline_steps.errors import PipelineError
from pipeline_steps.settings import Settings

ABANDONED = "killed after, never run again"  # another release is shipped instead
ADVICE = {ALWAYS: "again", SERVER_ERROR: "again", DENIED: "role in use", TIMEOUT: "again"}
SETTLING = 6  # clean runs, at most, until what they leave is the same
RETRIED = (ONCE, TIMEOUT)
KILLS = (KILLED_BEFORE, KILLED_AFTER, ABANDONED)


@dataclass(frozen=True)
class Start:
    """Where a cell begins: the site, the settings of the run, and the version that it ends with.

    No version: nothing serves in the end. `arguments` are the steps' own.
    """

    site: Site
    settings: Settings
    version: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Flow:
    """Steps that are run together, from a start that `prepare` makes anew for each cell.

    `ends_in` is the error that a run without any fault ends in; `throwaway` sites are removed
    after their cell; `faulted` and `operations` say which calls are broken, all where they
    are empty.
    """

    name: str
    steps: tuple[str, ...]
    prepare: Callable[[World], Start]
    faulted: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    ends_in: type[PipelineError] | None = None
    throwaway: bool = False
    faults: tuple[str, ...] = FAULTS


@dataclass(frozen=True)
class Cell:
    """What became of one fault at one call; `problems` is empty where it was survived."""

    flow: str
    call: Call
    fault: str
    outcome: str
    message: str
    seconds: float
    problems: list[str] = field(default_factory=list)


class Matrix:
    """Runs cells in one world, under the eyes of polling clients."""

    def __init__(self, world: World, poller: Poller) -> None:
        self.world, self.poller = world, poller
        self._clean: dict[str, Counter[str]] = {}

    def record(self, flow: Flow) -> list[Call]:
        """The calls of `flow`, from runs without faults, until one leaves what the last one did."""
        left: list[Counter[str]] = []
        while len(left) < 2 or left[-1] != left[-2]:
            if len(left) == SETTLING:
                raise RuntimeError(f"{flow.name}: clean runs differ: {_difference(*left[-2:])}")
            start, injector = flow.prepare(self.world), Injector()
            problem = self._run(flow, start, injector)
            if problem:
                raise RuntimeError(f"{flow.name} without any fault: {problem}")
            left.append(self.world.inventory(start.site))
            self._remove(flow, start)
        self._clean[flow.name] = left[-1]
        return [
            call
            for call in injector.calls
            if call.step in (flow.faulted or flow.steps)
            and (not flow.operations or call.operation in flow.operations)
        ]

    def cell(self, flow: Flow, call: Call, fault: str) -> Cell:
        """Break `call` by `fault`; see what comes of it, and whether the next run mends it."""
        start = flow.prepare(self.world)
        began, failed = time.monotonic(), len(self.poller.failures)
        injector = Injector(call, KILLED_AFTER if fault == ABANDONED else fault)
        outcome, message, problems = self._break(flow, start, fault, injector)
        self.poller.wait_for_request()
        if fault == ABANDONED:
            if not self.world.is_recorded(start.site):
                start.site.abandon()
            start = Start(start.site, start.site.package(), start.site.versions[-1])
        again = self._run(flow, start, Injector()) if outcome != "retried" else ""
        if again:
            problems.append(f"the run after it: {again}")
        elif outcome in ("told", "killed"):
            outcome += ", re-run completed"
        problems += self._look(flow, start)
        self.poller.wait_for_request()
        problems += [f"a client's request failed: {text}" for text in self.poller.failures[failed:]]
        if problems:
            self._mend(flow, start)
        self._remove(flow, start)
        seconds = round(time.monotonic() - began, 3)
        return Cell(flow.name, call, fault, outcome, message, seconds, problems)

    def _break(
        self, flow: Flow, start: Start, fault: str, injector: Injector
    ) -> tuple[str, str, list[str]]:
        """Run with the fault: how it ended, the message it gave, and what was wrong with that."""
        message, problems, outcome = "", [], ""
        try:
            self.world.run(flow.steps, start.site, start.settings, injector, **start.arguments)
        except Killed:
            outcome = "killed"
        except PipelineError as error:
            message = str(error)
            outcome = "told"
        except Exception as error:  # noqa: BLE001 - a crash is a result here, and shown as one
            message = f"{type(error).__name__}: {error}"
            return "crashed", message, [f"a crash, not an error that says what to do: {message}"]
        finally:
            injector.close()
        if not injector.hits:
            return outcome, message, ["the call was not made in this run"]
        if injector.killed or fault in KILLS:
            problems += [] if outcome == "killed" else ["the kill did not end the run"]
            return "killed", message, problems
        undisturbed = outcome == ("told" if flow.ends_in else "")
        if undisturbed and injector.target_operation not in message:
            return "retried" if fault in RETRIED else "went on", message, problems
        if fault == ONCE:
            problems.append(f"throttled once, it gave up: {message}")
        return outcome, message, problems + _unclear(injector.target_operation, fault, message)

    def _run(self, flow: Flow, start: Start, injector: Injector) -> str:
        """Run without a fault; what went wrong, or nothing."""
        try:
            self.world.run(flow.steps, start.site, start.settings, injector, **start.arguments)
        except PipelineError as error:
            if flow.ends_in and isinstance(error, flow.ends_in):
                return ""
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001 - as above
            return f"a crash: {type(error).__name__}: {error}"
        return "it ended well, expected an error" if flow.ends_in else ""

    def _look(self, flow: Flow, start: Start) -> list[str]:
        """What is not as a clean run leaves it."""
        problems = []
        found = self.world.inventory(start.site)
        if found != self._clean[flow.name]:
            difference = _difference(self._clean[flow.name], found)
            problems.append(f"not what a clean run leaves: {difference}")
        served = version_at(self.world.url(start.settings)) if start.version else ""
        if served != start.version:
            problems.append(f"{served} serves, expected {start.version}")
        return problems

    def _mend(self, flow: Flow, start: Start) -> None:
        """After a cell that failed: clean ships, so that it does not fail those that follow."""
        if not flow.throwaway:
            for _ in range(3):
                self.world.ship(start.site)

    def _remove(self, flow: Flow, start: Start) -> None:
        if flow.throwaway:
            self.world.remove(start.site)


def sample(calls: list[Call], faults: tuple[str, ...]) -> list[tuple[Call, str]]:
    """Each operation of each step once, with one fault, which differs from call to call."""
    first: dict[tuple[str, str], Call] = {}
    for call in calls:
        first.setdefault((call.step, call.operation), call)
    return [(call, faults[number % len(faults)]) for number, call in enumerate(first.values())]


def _unclear(operation: str, fault: str, message: str) -> list[str]:
    problems = []
    if operation not in message:
        problems.append(f"the message does not name {operation}: {message}")
    if ADVICE.get(fault, "") not in message:
        problems.append(f"the message does not say {ADVICE[fault]!r}: {message}")
    return problems


def _difference(clean: Counter[str], found: Counter[str]) -> str:
    lines = [f"too many: {line}" for line in sorted((found - clean).elements())]
    lines += [f"missing: {line}" for line in sorted((clean - found).elements())]
    return "; ".join(lines)


def version_at(url: str) -> str:
    """The model version that the API at `url` answers with."""
    answer = requests.post(f"{url}/predict", json={"inputs": "a good film"}, timeout=30)
    return answer.headers.get("X-Model-Version", f"status {answer.status_code}")
