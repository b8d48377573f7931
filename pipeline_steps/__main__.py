"""Run all steps in order, and leave `run.json`.

    python -m pipeline_steps --profile demo

The release goes to staging first and then to production, unless the profile says that passing
the evaluation is enough. A step that finds its work done says "reused". After a step that fails,
nothing runs but the report and the mail; the exit code is that step's: 2 configuration, 3 data,
4 training, 5 below the bar, 6 packaging, 7 deploy, 8 API, 9 smoke test, 1 anything unexpected.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field

from pipeline_steps import (
    check_data,
    create_alarms,
    create_api,
    deploy_endpoint,
    evaluate,
    export,
    live_test,
    notify,
    package_model,
    report,
    run_report,
    smoke_test,
    step,
    train,
)
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.errors import describe
from pipeline_steps.release_artefacts import Api, RunReport, StepRecord
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings
from pipeline_steps.step import Run

MODEL_STEPS: dict[str, Run] = {
    "check_data": check_data.run,
    "train": train.run,
    "export": export.run,
    "evaluate": evaluate.run,
    "package_model": package_model.run,
}
RELEASE_STEPS: dict[str, Run] = {  # in each environment
    "deploy_endpoint": deploy_endpoint.run,
    "create_api": create_api.run,
    "smoke_test": smoke_test.run,
    "create_alarms": create_alarms.run,
}


Planned = tuple[str, Run, Environment | None]


def plan(settings: Settings) -> list[Planned]:
    """The steps of a run, in order, each with the environment that it is about, if it is."""
    environments: list[Environment] = ["production"]
    if settings.deploy.approval != "evaluation":
        environments.insert(0, "staging")
    steps: list[Planned] = [(name, run, None) for name, run in MODEL_STEPS.items()]
    for environment in environments:
        steps += [(name, run, environment) for name, run in RELEASE_STEPS.items()]
    return steps


@dataclass
class Pipeline:
    """One run of all steps, and its record so far."""

    settings: Settings
    clients: Clients
    records: list[StepRecord] = field(default_factory=list)
    error: str | None = None
    stopped: bool = False

    def run(self) -> None:
        """Run the steps; the first failure is mailed and then raised again."""
        print(f"T5 Sentiment, profile {self.settings.profile}, in {self.settings.work_dir}\n")
        print(f"{'step':<29} {'status':<8} {'seconds':>7}")
        steps = plan(self.settings)
        try:
            for step_of_plan in steps:
                self._run_step(*step_of_plan)
        except BaseException as error:
            self.error = describe(error)
            self.stopped = isinstance(error, KeyboardInterrupt)
            left = steps[len(self.records) :]
            self.records += [StepRecord(name, "skipped", 0, "", where) for name, _, where in left]
            raise
        finally:
            self._save()
            if not self.stopped:
                if self._composed().metrics:  # judged, whatever came of it
                    self._tell("report", report.run, "no report was written")
                self._tell("notify", notify.run, "no mail was sent")
                self._save()

    def _run_step(self, name: str, run: Run, where: Environment | None) -> None:
        started = time.monotonic()
        settings = self.settings.in_environment(where) if where else self.settings
        try:
            outcome = run(settings, self.clients)
        except BaseException as error:
            self._record(name, where, "failed", started, describe(error))
            raise
        self._record(name, where, outcome.status, started, outcome.detail)

    def _record(
        self, name: str, where: Environment | None, status: str, started: float, detail: str
    ) -> None:
        seconds = round(time.monotonic() - started, 2)
        made = StepRecord(name, status, seconds, detail, where)
        self.records.append(made)
        shown = "" if status == "failed" else detail  # a failure is told in full at the end
        print(f"{made.title:<29} {status:<8} {seconds:>7.1f}  {shown}".rstrip(), flush=True)

    def _tell(self, name: str, run: Run, otherwise: str) -> None:
        """Run a step that tells of the run; its failure is only a warning."""
        started = time.monotonic()
        try:
            outcome = run(self.settings, self.clients)
        except Exception as error:  # noqa: BLE001 - whatever it is, the result stands
            # What cannot be told must not make a good release look bad, or hide a failure.
            self._record(name, None, "failed", started, describe(error))
            print(f"warning: {otherwise}. {describe(error)}", file=sys.stderr)
        else:
            self._record(name, None, outcome.status, started, outcome.detail)

    def _composed(self) -> RunReport:
        return run_report.compose(self.settings, self.records, self.error)

    def _save(self) -> None:
        """Write `run.json`."""
        try:
            self._composed().save(self.settings.work_dir)
        except OSError as error:
            # The step's own error says more than that its record could not be written.
            print(f"warning: run.json was not written: {error}", file=sys.stderr)


def _run(arguments: argparse.Namespace) -> None:
    settings = settings_module.from_flags(arguments)
    with step.locked(settings.work_dir):
        Pipeline(settings, Clients()).run()
    api = Api.load(settings.in_environment("production").environment_dir)
    body = json.dumps({"inputs": live_test.EXAMPLE})
    print(f"\nLive at {api.api_url}. Try it:\n")
    print(f"  curl -s {api.api_url}/predict -H 'Content-Type: application/json' -d '{body}'")
    print(f"\nCost: {run_report.cost_line(settings)} (python -m pipeline_steps.cost)")


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline and give back its exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps")
    parsed = parser.parse_args(arguments)
    return step.exit_code_of(lambda: _run(parsed), "pipeline")


if __name__ == "__main__":
    sys.exit(main())
