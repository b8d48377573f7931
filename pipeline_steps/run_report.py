"""What a run has come to, from what each of its steps did: `run.json`, whoever ran the steps.

    python -m pipeline_steps.run_report --profile sst2 --steps steps.json

A scheduler that runs the steps one by one says in `steps.json` what each did, and then `notify`
mails of it. `python -m pipeline_steps` needs no such file.
"""

import json
import sys
from pathlib import Path

import dacite

from pipeline_steps import cost, step
from pipeline_steps.clients import Clients
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.model_artefacts import ExportReport, TrainingReport
from pipeline_steps.release_artefacts import Api, Release, RunReport, StepRecord
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


def compose(settings: Settings, records: list[StepRecord], error: str | None) -> RunReport:
    """The report of the run; a file of the work folder counts only if it is of this run."""
    folder = settings.work_dir
    passed = {
        record.name
        for record in records
        if record.status in ("done", "reused") and record.environment != "staging"
    }
    trained = TrainingReport.find(folder / "checkpoint") if "train" in passed else None
    exported = ExportReport.find(folder) if "export" in passed else None
    # A model below the bar has its figures too, though its step has failed.
    evaluation = Evaluation.find(folder)
    if not (exported and evaluation and evaluation.candidate_hash == exported.candidate_hash):
        evaluation = None
    live = settings.in_environment("production").environment_dir
    release = Release.find(live) if "deploy_endpoint" in passed else None
    api = Api.find(live) if "create_api" in passed else None
    return RunReport(
        profile=settings.profile,
        model_version=trained.model_version if trained else None,
        steps=records,
        metrics=evaluation.metrics if evaluation else {},
        api_url=api.api_url if api else None,
        endpoint_name=release.endpoint_name if release else None,
        cost=cost_line(settings) if "smoke_test" in passed else None,
        error=error,
        override=evaluation.overridden if evaluation else None,
    )


def read_records(path: Path) -> list[StepRecord]:
    """The steps of a run that a scheduler has driven: a JSON list, an object a step.

    Raises:
        ConfigurationError: it cannot be read, or is not such a list.
    """
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ValueError("something else than a list of objects")
        config = dacite.Config(strict=True, cast=[float])
        return [dacite.from_dict(StepRecord, item, config) for item in items]
    except (OSError, ValueError, dacite.DaciteError) as error:
        raise ConfigurationError(
            f"{path}: {error}. Expected a list of steps, each with name, status and seconds."
        ) from error


def cost_line(settings: Settings) -> str:
    """What a month costs, in a line."""
    try:
        made = cost.of_build(settings.in_environment("production"))
    except ConfigurationError as error:  # a price that is not known must not fail a good release
        return f"no estimate: {error}"
    requests = settings.cost.requests_per_month
    return f"about {made.total:,.2f} USD a month on AWS, with {requests:,} requests and a training"


def main(arguments: list[str] | None = None) -> int:
    """Write `run.json` of the steps that `--steps` tells of, and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.run_report")
    parser.add_argument("--steps", type=Path, required=True, help="JSON list, an object a step")
    parsed = parser.parse_args(arguments)

    def write(settings: Settings, clients: Clients) -> Outcome:
        records = read_records(parsed.steps)
        failed = next((record for record in records if record.status == "failed"), None)
        report = compose(settings, records, failed.detail if failed else None)
        report.save(settings.work_dir)
        return Outcome("done", f"{len(records)} steps in {report.FILE}")

    return step.exit_code_of(lambda: step.run_locked(write, parsed), "run_report")


if __name__ == "__main__":
    sys.exit(main())
