"""A step of the pipeline as an Airflow task: the same command, in the project's own environment.

Airflow's packages and torch's never meet: a task only starts `python -m pipeline_steps.<step>` with
the project's Python, and reads its exit code and the outputs that it leaves in the file named by
GITHUB_OUTPUT, here as in a workflow. The steps hand their files over in one work folder, which on
several machines must be a shared volume.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator, BaseOperatorLink, BranchMixIn
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

HOME = Path(os.environ.get("PIPELINE_HOME") or Path(__file__).resolve().parents[2])
PYTHON = os.environ.get("PIPELINE_PYTHON") or str(HOME / ".venv" / "bin" / "python")
BUILD_DIR = Path(os.environ.get("PIPELINE_BUILD_DIR") or HOME / "build")

# Where each choice of the form's "deploy" leads; production is reached through staging only.
ENVIRONMENTS = {"none": (), "staging": ("staging",), "production": ("staging", "production")}

REINFORCE = {"as the profile says": None, "on": "true", "off": "false"}

# Exit codes of the steps that a second try cannot change: a setting, the data, a training that
# repeats exactly, the gate, a tarball that answers otherwise. After a failed smoke test the old
# release serves again, and trying once more would put the bad one before clients once more.
HOPELESS = {2, 3, 4, 5, 6, 9}
GRACE_SECONDS = 20  # for a step that is told to end, to leave its work folder whole


class StepOperator(BaseOperator):
    """Runs one step with the settings of the form, and fails for good where a retry cannot help.

    Args:
        step: which one; by default the task's name.
        environment: staging or production, for the steps that are about one of them.
        redo: steps to run before a retry of this one, because its failure has undone their work.
        links: buttons that the task has in the UI.
    """

    def __init__(
        self,
        *,
        step: str | None = None,
        environment: str | None = None,
        redo: Sequence[str] = (),
        links: Sequence[BaseOperatorLink] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.step = step or self.task_id.rpartition(".")[2]
        self.environment = environment
        self.redo = tuple(redo)
        self.operator_extra_links = tuple(links)
        self._hook = SubprocessHook()
        self.urls: dict[str, str] = {}

    def execute(self, context: Context) -> str:
        """Run the step; gives the line that it ends with."""
        params = context["params"]
        if self.environment and self.environment not in ENVIRONMENTS[params["deploy"]]:
            raise AirflowSkipException(f"deploy is {params['deploy']!r}")
        if context["ti"].try_number > 1:
            for step in self.redo:
                self.run_step(step, context)
        outputs = self.run_step(self.step, context)
        if self.environment:
            self.urls = urls(BUILD_DIR / params["profile"] / self.environment)
        return f"{outputs.get('status', 'done')}: {outputs.get('detail', '')}"

    def run_step(self, step: str, context: Context, *more: str) -> dict[str, str]:
        """Run `step` and give its outputs; what it did, or its error, is kept for the mail."""
        command = [PYTHON, "-m", f"pipeline_steps.{step}", *flags(context["params"]), *more]
        if self.environment:
            command += ["--environment", self.environment]
        started = time.monotonic()
        code, last_line, outputs = self._run(command)
        seconds = round(time.monotonic() - started, 2)
        if code == 0:
            status, detail = outputs.get("status", "done"), outputs.get("detail", "")
            context["ti"].xcom_push("record", [status, seconds, detail])
            return outputs
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        error = outputs.get("error") or f"{step} {how}: {last_line or 'it said nothing'}"
        context["ti"].xcom_push("record", ["failed", seconds, error])
        raise (AirflowFailException if code in HOPELESS else AirflowException)(error)

    def _run(self, command: list[str]) -> tuple[int, str, dict[str, str]]:
        """Exit code, last line and outputs of a command, whose output goes to the task's log."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        with TemporaryDirectory(prefix="t5-") as folder:
            outputs = Path(folder) / "outputs"
            outputs.touch()
            # Unbuffered, so that the log shows how far a training is.
            environment |= {"GITHUB_OUTPUT": str(outputs), "PYTHONUNBUFFERED": "1"}
            ended = self._hook.run_command(command, env=environment, cwd=str(HOME))
            return ended.exit_code, ended.output, parse_outputs(outputs.read_text(encoding="utf-8"))

    def on_kill(self) -> None:
        """End the step with its task, so that a retry finds the work folder free."""
        process = self._hook.sub_process
        if process is None or process.poll() is not None:
            return
        self._hook.send_sigterm()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


class ReuseBranch(StepOperator, BranchMixIn):
    """Asks `find_checkpoint`, and skips the task `train` where the model is there already."""

    inherits_from_skipmixin = True

    def __init__(self, *, train: str, reuse: str, **kwargs: Any) -> None:
        super().__init__(step="find_checkpoint", **kwargs)
        self.train, self.reuse = train, reuse

    def execute(self, context: Context) -> Any:
        """Choose the task to go on with."""
        reused = self.run_step(self.step, context)["reused"] == "true"
        return self.do_branch(context, self.reuse if reused else self.train)


class ReportOperator(StepOperator):
    """Writes the report of what was judged, also where the gate refused it."""

    def execute(self, context: Context) -> str:
        """Write it, if there is anything to tell."""
        judged = context["ti"].xcom_pull(task_ids="evaluate", key="record")
        found = BUILD_DIR / context["params"]["profile"] / "evaluation.json"
        if not judged or not found.is_file():  # a former run's may be there
            raise AirflowSkipException("this run has judged nothing")
        return super().execute(context)


class NotifyOperator(StepOperator):
    """Tells how the run went, also where a task has failed, with that task's own error."""

    def execute(self, context: Context) -> str:
        """Have `run.json` written of what each step did, and mail it."""
        with TemporaryDirectory(prefix="t5-") as folder:
            steps = Path(folder) / "steps.json"
            steps.write_text(json.dumps(self.records(context)), encoding="utf-8")
            self.run_step("run_report", context, "--steps", str(steps))
        outputs = self.run_step("notify", context)
        return f"{outputs.get('status', 'done')}: {outputs.get('detail', '')}"

    def records(self, context: Context) -> list[dict[str, Any]]:
        """What each step of this run did, in order; a training that was skipped was reused."""
        ti = context["ti"]
        states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
        records = []
        for task in self.dag.topological_sort():
            name, state = task.task_id.rpartition(".")[2], states.get(task.task_id)
            made = ti.xcom_pull(task_ids=task.task_id, key="record")
            status, seconds, detail = made or ["skipped", 0, ""]
            if state == "failed" and status != "failed":
                # Killed together with its worker, it has left nothing.
                status, detail = "failed", f"{task.task_id} was lost with its worker; see its log."
            if isinstance(task, ReuseBranch) and status != "failed":
                name, status = task.train, "reused"
                if states.get(name) != "skipped":
                    continue
            # A teardown only tells of the run.
            if task.is_teardown or (name == "train" and state == "skipped"):
                continue
            record = {"name": name, "status": status, "seconds": seconds, "detail": detail}
            records.append(record | {"environment": task.environment})
        return records


class ArtefactLink(BaseOperatorLink):
    """A button to what a task has made: its API, its endpoint, its report."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """What the button says."""
        return self._name

    @property
    def xcom_key(self) -> str:
        """Where Airflow keeps the address."""
        return f"link_{self._name}"

    def get_link(self, operator: StepOperator, *, ti_key: Any) -> str:
        """The address, once the task has run."""
        return operator.urls.get(self._name, "")


def urls(folder: Path) -> dict[str, str]:
    """Where to look at what was deployed, from the files that the steps left."""
    found: dict[str, str] = {}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
    console = f"https://{region}.console.aws.amazon.com"
    # An AWS on this machine has no console.
    if (folder / "release.json").is_file() and "AWS_ENDPOINT_URL" not in os.environ:
        release = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        model = urlsplit(release["model_data_url"])
        report = f"{model.path.rpartition('/')[0][1:]}/evaluation.json"
        found["Endpoint"] = f"{console}/sagemaker/home?region={region}#/endpoints/"
        found["Endpoint"] += release["endpoint_name"]
        found["Report"] = f"{console}/s3/object/{model.netloc}?region={region}&prefix={report}"
    if (folder / "api.json").is_file():
        found["API"] = json.loads((folder / "api.json").read_text(encoding="utf-8"))["api_url"]
    return found


def flags(params: Mapping[str, Any]) -> list[str]:
    """What the form asks for, as the steps' flags; PIPELINE_FLAGS stands before it and so yields.

    Raises:
        AirflowFailException: a parameter that no form has, which Airflow itself lets through.
    """
    asked = {
        "profile": params["profile"],
        "compute": params["compute"],
        "epochs": params["epochs"],
        "learning-rate": params["learning_rate"],
        "reinforce": REINFORCE[params["reinforce"]],
        "min-accuracy": params["min_accuracy"],
        "override": params["override"],
    }
    known = {name.replace("-", "_") for name in asked} | {"deploy"}
    if unknown := sorted(set(params) - known):
        raise AirflowFailException(f"Unknown parameters {unknown}. Known: {sorted(known)}.")
    given = [f"--{name}={value}" for name, value in asked.items() if value is not None]
    always = shlex.split(os.environ.get("PIPELINE_FLAGS", ""))
    return ["--build-dir", str(BUILD_DIR), *always, *given]


def parse_outputs(text: str) -> dict[str, str]:
    """The outputs of a step: `name=value`, or `name<<END`, lines and END where there are several.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    outputs: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, equals, value = line.partition("=")
        if "<<" in name or not equals:
            name, _, end = line.partition("<<")
            value = "\n".join(iter(lambda: next(lines), end))
        outputs[name] = value
    return outputs
