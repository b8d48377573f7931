"""Break every AWS call of a release in every way, and write docs/reliability.md.

make bench-reliability                          all of it, about half an hour
make bench-reliability ARGS="--flow update"     one flow, shown and not written
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from bench.faults.flows import FLOWS, flows
from bench.faults.matrix import Matrix
from bench.faults.poller import Poller
from bench.faults.scenarios import SCENARIOS, ScenarioFailedError
from bench.faults.soak import soak
from bench.faults.summary import Results, markdown
from bench.faults.world import World
from bench.report import Report
from pipeline_steps.files import write_atomically

PAGE = Path("docs/reliability.md")
UPDATES, ROLLBACKS = 20, 5
COMMAND = "make bench-reliability"
SCENARIO_PART, SOAK_PART = "scenarios", "soak"


def main() -> int:
    """Run the benchmark; returns 1 where something was not survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--flow", choices=FLOWS, help="only this flow; nothing is written")
    parser.add_argument("--page", type=Path, default=PAGE, help=f"what is written ({PAGE})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="parts at a time")
    arguments = parser.parse_args()
    began, results = time.monotonic(), Results()
    chosen = {arguments.flow: FLOWS[arguments.flow]} if arguments.flow else FLOWS
    results.missing = [] if arguments.flow else [SOAK_PART, SCENARIO_PART]
    results.missing += [f"{flow}: {step}" for flow, steps in chosen.items() for step in steps]
    context = multiprocessing.get_context("spawn")  # each part has a local AWS, one a process
    with ProcessPoolExecutor(arguments.jobs, context) as pool:
        running = {pool.submit(run_part, part): part for part in results.missing}
        for done in as_completed(running):
            results.add(running[done], done.result())
            results.seconds = time.monotonic() - began
            if not arguments.flow:
                write(results, arguments.page)
    if arguments.flow:
        print(markdown(results, COMMAND))
    return report(results).finish()


def write(results: Results, page: Path) -> None:
    """Write what is known so far; the page names the parts that it does not have yet."""
    text = markdown(results, COMMAND)
    write_atomically(page, lambda path: path.write_text(text, encoding="utf-8"))
    print(f"written to {page}, without: {', '.join(results.missing) or 'nothing'}", flush=True)


def run_part(part: str) -> Results:
    """One step of a flow, the scenarios, or the soak, in a world of its own."""
    results = Results()
    with (
        tempfile.TemporaryDirectory(prefix="bench-reliability-") as name,
        World(Path(name)) as world,
    ):
        if part == SCENARIO_PART:
            run_scenarios(world, results)
        elif part == SOAK_PART:
            results.soak = soak(world, UPDATES, ROLLBACKS)
            print(f"soak: {results.soak}", flush=True)
        else:
            break_calls(world, results, *part.split(": "))
    return results


def break_calls(world: World, results: Results, name: str, step: str) -> None:
    """Every call of a flow's step × every fault."""
    production = world.site()
    world.ship(production)
    with Poller(world.url(production.settings)) as poller:
        matrix, flow = Matrix(world, poller), flows(world, production)[name]
        calls = [call for call in matrix.record(flow) if call.step == step]
        for number, call in enumerate(calls, 1):
            for fault in flow.faults:
                cell = matrix.cell(flow, call, fault)
                results.cells.append(cell)
                for problem in cell.problems:
                    print(f"  NOT SURVIVED {call.step} {call}, {fault}: {problem}", flush=True)
            print(f"{flow.name} {number}/{len(calls)} {call.step}: {call}", flush=True)
        results.requests, results.failed_requests = poller.asked, len(poller.failures)


def run_scenarios(world: World, results: Results) -> None:
    """What else can befall a release."""
    for scenario in SCENARIOS:
        what, outcome, problem = (scenario.__doc__ or scenario.__name__).split("\n")[0], "", ""
        try:
            outcome = scenario(world)
        except ScenarioFailedError as error:
            problem = str(error)
        print(f"{scenario.__name__}: {problem or outcome}", flush=True)
        results.scenarios.append((what, outcome, problem))


def report(results: Results) -> Report:
    """The figures, and the bars that they are held to."""
    figures = Report("reliability")
    cells, failed = len(results.cells), sum(bool(problem) for *_, problem in results.scenarios)
    figures.row("matrix", "cells", cells, "cells")
    figures.row("matrix", "cells not survived", cells - results.survived, "cells", "<= 0")
    figures.row("matrix", "requests of clients", results.requests, "requests")
    figures.row("matrix", "requests that failed", results.failed_requests, "requests", "<= 0")
    if results.soak:
        figures.row("scenarios", "not survived", failed, "scenarios", "<= 0")
        figures.row("soak", "requests of clients", results.soak.requests, "requests")
        figures.row("soak", "requests that failed", len(results.soak.failures), "requests", "<= 0")
    return figures


if __name__ == "__main__":
    sys.exit(main())
