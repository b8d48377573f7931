"""The record of a run on GitHub, from what its jobs left; needs the standard library only.

The workflow hands over its jobs as GitHub knows them, `toJSON(needs)`, in the variable JOBS. Each
job has one output, `steps`: `toJSON(steps)`, with what `step.main` told of each step.
https://docs.github.com/en/actions/reference/workflows-and-actions/contexts
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline_steps.release_artefacts import Origin, RunReport, StepRecord

JOBS = "JOBS"
DEPLOY = "deploy-"  # and the environment: the name of a job that releases
NO_REASON = "It told no reason of its own: its log does. A job is also cancelled by its time limit."


def is_here() -> bool:
    """Whether this is the job that reports on the others."""
    return bool(os.environ.get(JOBS))


def report(profile: str) -> RunReport:
    """What became of the run that this job is the end of."""
    jobs: dict[str, Any] = json.loads(os.environ[JOBS])
    steps = {name: _steps_of(job) for name, job in jobs.items()}
    records = [record for name in jobs for record in _records(name, jobs[name], steps[name])]
    report_page = steps.get("evaluate", {}).get("report_page", {}).get("outputs", {})
    told = [step.get("outputs", {}) for of_job in steps.values() for step in of_job.values()]
    production = steps.get(f"{DEPLOY}production", {})
    failed = next((record for record in records if record.status == "failed"), None)
    return RunReport(
        profile=profile,
        model_version=_first(told, "model_version"),
        steps=records,
        metrics=json.loads(_first(told, "metrics") or "{}"),
        api_url=_first([step.get("outputs", {}) for step in production.values()], "api_url"),
        error=failed.detail if failed else None,
        origin=origin(),
        override=_first(told, "override"),
        report_url=report_page.get("artifact-url"),
    )


def _steps_of(job: dict[str, Any]) -> dict[str, Any]:
    steps: dict[str, Any] = json.loads(job.get("outputs", {}).get("steps") or "{}")
    return steps


def _first(outputs: list[dict[str, str]], name: str) -> str | None:
    return next((found[name] for found in outputs if found.get(name)), None)


def _records(name: str, job: dict[str, Any], steps: dict[str, Any]) -> Iterator[StepRecord]:
    environment = name.removeprefix(DEPLOY) if name.startswith(DEPLOY) else None
    if job["result"] == "skipped":
        yield StepRecord(name, "skipped", 0, "", environment, name)
        return
    has_failed = False
    for step, known in steps.items():
        told = known.get("outputs", {})
        if known["conclusion"] in ("failure", "cancelled"):
            detail = told.get("error") or f"The step {step!r} of the job {name!r} ended with "
            detail = detail if told.get("error") else f"{detail}{known['outcome']!r}. {NO_REASON}"
            yield StepRecord(step, "failed", 0, detail, environment, name)
            has_failed = True
        elif told.get("status"):
            seconds, detail = float(told["seconds"]), told["detail"]
            yield StepRecord(step, told["status"], seconds, detail, environment, name)
    if job["result"] != "success" and not has_failed:
        detail = f"The job {name!r} ended with {job['result']!r}. {NO_REASON}"
        yield StepRecord(name, "failed", 0, detail, environment, name)


def origin() -> Origin:
    """Who started this run, and which change it is about, as GitHub's variables tell."""
    known = os.environ
    repository = f"{known['GITHUB_SERVER_URL']}/{known['GITHUB_REPOSITORY']}"
    commit = known["GITHUB_SHA"]
    event = json.loads(Path(known["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    message = (event.get("head_commit") or {}).get("message") or ""
    title = message.partition("\n")[0]
    # GitHub writes the number of a pull request into the commit that merges it.
    number = re.search(r"\(#(\d+)\)$|^Merge pull request #(\d+) ", title)
    pull = number and (number[1] or number[2])
    return Origin(
        actor=known["GITHUB_ACTOR"],
        event=known["GITHUB_EVENT_NAME"],
        commit=commit,
        title=title,
        change_url=f"{repository}/pull/{pull}" if pull else f"{repository}/commit/{commit}",
        run_url=f"{repository}/actions/runs/{known['GITHUB_RUN_ID']}",
    )
