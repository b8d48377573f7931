"""The results as one page of Markdown: what was broken, and what became of it."""

import datetime
import os
from dataclasses import dataclass, field
from typing import Any

from bench.faults.flows import FLOWS
from bench.faults.injection import FAULTS, Call
from bench.faults.matrix import ABANDONED, Cell
from bench.faults.soak import Soak
from bench.report import processor
from pipeline_steps.fingerprint import git_state

COLUMNS = (*FAULTS, ABANDONED)


@dataclass
class Results:
    """Everything that a run of the benchmark saw."""

    cells: list[Cell] = field(default_factory=list)
    requests: int = 0  # of the clients that watched the matrix
    failed_requests: int = 0
    scenarios: list[tuple[str, str, str]] = field(default_factory=list)  # name, outcome, problem
    soak: Soak | None = None
    seconds: float = 0
    missing: list[str] = field(default_factory=list)  # parts that have not ended
    # As it was at first: the page that is written meanwhile would count as a change.
    git: dict[str, Any] = field(default_factory=git_state)

    def add(self, name: str, part: "Results") -> None:
        """Take in what the part `name` of the run saw."""
        self.missing.remove(name)
        self.cells = sorted([*self.cells, *part.cells], key=_place)
        self.requests += part.requests
        self.failed_requests += part.failed_requests
        self.scenarios += part.scenarios
        self.soak = part.soak or self.soak

    @property
    def survived(self) -> int:
        """How many cells had nothing amiss."""
        return sum(not cell.problems for cell in self.cells)


def _place(cell: Cell) -> tuple[int, int]:
    """Where a cell stands in the table: by flow, then by step, then as it was run."""
    return list(FLOWS).index(cell.flow), FLOWS[cell.flow].index(cell.call.step)


def markdown(results: Results, command: str) -> str:
    """The page."""
    parts = [_head(results, command), _table(results.cells), _failures(results.cells)]
    parts += [_scenarios(results.scenarios), _soak(results.soak)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results: Results, command: str) -> str:
    git, today = results.git, datetime.datetime.now(datetime.UTC).date().isoformat()
    dirty = " with changes" if git.get("dirty") else ""
    cells, calls = len(results.cells), len({(cell.flow, cell.call) for cell in results.cells})
    lost = cells - results.survived
    missing = f"\n\n**Stopped before it had: {', '.join(results.missing)}.**" * bool(
        results.missing
    )
    return f"""# Reliability: every AWS call of a release, broken in every way

Written by `{command}`, do not edit. {today}, commit {(git["commit"] or "unknown")[:12]}{dirty}, \
{processor()}, {os.cpu_count()} cores, {results.seconds / 60:.0f} minutes.{missing}

Each call that the release steps make was recorded, then broken, one at a time, where botocore
sends it; botocore's own retries act on the fault (their pauses are shortened, their number is
not). While that happens a client asks production all the while. A cell is survived when no request
of the client failed, the message names the call and what to do, a second run completes, and the
account then holds exactly what a clean run leaves: no model, configuration, function version, API,
integration, alarm or scaling target too many or too few.

All of it runs against the local AWS: it proves the steps, not AWS.

| | |
|---|---|
| calls | {calls} |
| cells (call × fault) | {cells} |
| survived | {results.survived} |
| not survived | {lost} |
| requests of the client meanwhile | {results.requests:,} |
| of these failed | {results.failed_requests} |"""


def _table(cells: list[Cell]) -> str:
    rows: dict[tuple[str, Call], dict[str, Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.flow, cell.call), {})[cell.fault] = cell
    lines = [
        "## Calls × faults",
        "",
        "**retried**: the run did not notice. **went on**: it completed without that call, and the "
        "next run made up for it. **told**: it ended in an error that names the call and what to "
        "do, and the next run completed. **killed**: the process ended there, and the next run "
        "completed (in the last column: another release was shipped instead). "
        "**✗**: not survived, see below. "
        "A number behind a call says which one of several in that step it is.",
        "",
        "| flow | step | call | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for (flow, call), by_fault in rows.items():
        marks = [_mark(by_fault.get(fault)) for fault in COLUMNS]
        lines.append(f"| {flow} | {call.step} | {call} | " + " | ".join(marks) + " |")
    return "\n".join(lines)


def _mark(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"{'✗' if cell.problems else '✓'} {cell.outcome.split(',')[0]}"


def _failures(cells: list[Cell]) -> str:
    lines = [
        f"- {cell.flow}, {cell.call.step}, {cell.call}, {cell.fault}: {problem}"
        for cell in cells
        for problem in cell.problems
    ]
    return "\n".join(["## Not survived", "", *lines]) if lines else ""


def _scenarios(scenarios: list[tuple[str, str, str]]) -> str:
    if not scenarios:
        return ""
    lines = ["## What else can happen", "", "| what happens | what the run does |", "|---|---|"]
    lines += [
        f"| {what} | {'✗ ' + problem if problem else '✓ ' + outcome} |"
        for what, outcome, problem in scenarios
    ]
    return "\n".join(lines)


def _soak(soak: Soak | None) -> str:
    if soak is None:
        return ""
    failures = "\n".join(f"- {failure}" for failure in soak.failures)
    return (
        "## Without a break\n\n"
        f"{soak.updates} updates and {soak.rollbacks} rollbacks in a row, {soak.clients} clients "
        f"asking all the while: {soak.requests:,} requests, {len(soak.failures)} failed, "
        f"{soak.versions} model versions answered.\n\n{failures}"
    ).rstrip()
