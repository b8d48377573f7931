"""Runs a workflow of this repository as GitHub would, on this machine, and tells how it went.

A test asks for the fixture `execute`:

    def test_rolls_back(execute, aws):
        run = execute(
            "rollback.yml",
            inputs={"to": "previous", "reason": "it was wrong"},
            vars={"MODEL_BUCKET": BUCKET, "AWS_REGION": "us-east-1"},
            environments={"production": {"vars": {"DEPLOY_ROLE_ARN": ROLE}}},
            aws=aws.environment(),
        )
        assert run.result == "success"
        assert run.jobs["rollback"].step("Roll back").outcome == "success"

`run:` steps really run, in a fresh copy of the working tree for each job. Actions of the
marketplace are stood in for (`executor/stand_ins/`); what they take is in `actions.yaml`.

**Names.** A job's path is its id, after the job that called its workflow: `pipeline.train`; a job
of a matrix has its values behind it: `deploy (staging)`. A step goes by its id, its name, or its
action without the version (`actions/checkout`, `./.github/actions/aws`), also inside a composite
action. So `"pipeline.train/Train"` names one step. A path without the values of a matrix means all
its jobs.

**What a test can ask for**, all of it keywords:

- `event` and `inputs`; without `event`, the one that has inputs: workflow_dispatch, else push.
  `event_payload` is laid over the payload, `is_fork` makes a pull request one of a stranger.
- `vars`, `secrets`, `environments={"staging": {"vars": {...}, "secrets": {...}}}`. A name that the
  workflow uses and that is not among them is an error, unless `unset` lists it: then it is ''.
- `fail={"train/Train": "no memory left"}`: this step fails with this message, in place of running;
  `"after"` in place of a message lets it run first. A job, `{"train": "the runner is lost"}`,
  fails before its first step.
- `stub={"train": {"reused": "true"}}`: this job, or step, does not run, and succeeds with these
  outputs.
- `cancel={"train/Train": "epoch 1"}`: the run is cancelled when this step prints this text; '' does
  it when the step starts.
- `corrupt={"model"}`: these artifacts are damaged after their upload.
- `aws`: the variables of a local AWS; only a job that logged in to AWS gets them. `machine`:
  variables that every runner has, for instance settings that make waiting short.
- `changes={"pipeline.toml": text}`: files that are different in the repository of this run.
- `changed`: the files of a push or pull request, for the filter `paths`; a run that they, or the
  branch `ref`, do not start has the result "skipped" and no jobs.
- `minute_seconds`: how long a minute of `timeout-minutes` lasts.

An injection that meets no job and no step is an error, and so is a workflow that is wrong in itself
(`WorkflowError`): no test can take the one or the other for the failure that it wanted.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dacite

from tests.workflows.outcome import Annotation, Artifact, Job, Run, Step

__all__ = ["Annotation", "Artifact", "Executor", "Job", "Run", "Step", "WorkflowError", "snapshot"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MAIN = HERE / "executor" / "main.js"
NODE = shutil.which("node") or "node"
HOOK = HERE / "executor" / "json_modules.js"
MODULES = HERE / "node_modules" / ".ready"


class WorkflowError(AssertionError):
    """The workflow is wrong, or the test asks for what is not there; nothing was proved."""


def snapshot(source: Path, target: Path, changes: Mapping[str, str] | None = None) -> str:
    """Copy a repository's files to `target` and commit them there; returns the commit.

    What git ignores stays behind, by name; so what is new and not yet committed is copied, too.
    """
    ignored = [".git"]
    if (source / ".gitignore").is_file():
        lines = (source / ".gitignore").read_text(encoding="utf-8").split()
        ignored += [line.strip("/") for line in lines]
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*ignored))
    for name, text in (changes or {}).items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text, encoding="utf-8")
    author = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["commit", "-q", "-m", "A change"],
    ):
        _git(target, *author, *command)
    return _git(target, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        command, env=variables, check=True, capture_output=True, text=True
    ).stdout.strip()


@dataclass(frozen=True)
class Executor:
    """Executes workflows of the repository that `tree` is a snapshot of."""

    tree: Path
    sha: str
    folder: Path
    cache: Path

    def __call__(
        self,
        workflow: str,
        *,
        event: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        event_payload: Mapping[str, Any] | None = None,
        vars: Mapping[str, str] | None = None,  # noqa: A002 - GitHub's name
        secrets: Mapping[str, str] | None = None,
        environments: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None,
        unset: Iterable[str] = (),
        fail: Mapping[str, str] | None = None,
        stub: Mapping[str, Mapping[str, str]] | None = None,
        cancel: Mapping[str, str] | None = None,
        corrupt: Iterable[str] = (),
        aws: Mapping[str, str] | None = None,
        machine: Mapping[str, str] | None = None,
        changes: Mapping[str, str] | None = None,
        ref: str = "refs/heads/main",
        is_fork: bool = False,
        changed: Iterable[str] | None = None,
        schedule: str = "",
        minute_seconds: float = 60,
        timeout_seconds: float = 240,
    ) -> Run:
        """Execute `workflow`, a file of .github/workflows; the module's text says what is what."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        tree, sha = self.tree, self.sha
        if changes:
            tree = folder / "repository"
            sha = snapshot(self.tree, tree, changes)
        event = event or ("workflow_dispatch" if inputs is not None else "push")
        variables = dict(aws or {})
        request = {
            "root": str(tree), "sha": sha, "file": workflow, "folder": str(folder / "run"),
            "cache": str(self.cache), "python": sys.executable, "event": event, "ref": ref,
            "repository": "someone/t5-sentiment", "actor": "merger", "schedule": schedule,
            "inputs": inputs or {}, "event_payload": event_payload or {}, "vars": vars or {},
            "secrets": secrets or {}, "environments": environments or {}, "unset": list(unset),
            "fail": fail or {}, "stub": stub or {}, "cancel": cancel or {},
            "corrupt": list(corrupt), "machine": machine or {}, "is_fork": is_fork,
            "changed": None if changed is None else list(changed),
            "aws": {name: value for name, value in variables.items() if name in _OF_AWS},
            "minute_seconds": minute_seconds, "parallel": 2,
        }  # fmt: skip
        return _read(*_spawn(folder, request, timeout_seconds))


# Of a local AWS: what leads there. Bucket, roles and the like are variables of the repository.
_OF_AWS = {
    "AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE", "NO_PROXY",
}  # fmt: skip


def _spawn(
    folder: Path, request: Mapping[str, Any], timeout_seconds: float
) -> tuple[dict[str, Any], str]:
    (folder / "run").mkdir()
    files = [folder / "request.json", folder / "result.json"]
    files[0].write_text(json.dumps(request), encoding="utf-8")
    variables = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    # The .venv of whoever runs the tests is not on a runner's path.
    own = str(Path(sys.executable).parent)
    parts = [part for part in variables["PATH"].split(os.pathsep) if part != own]
    variables["PATH"] = os.pathsep.join(parts)
    ended = subprocess.run(
        [NODE, "--import", str(HOOK), str(MAIN), *map(str, files)],
        env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=timeout_seconds, check=False,
    )  # fmt: skip
    print(ended.stdout)  # pytest shows it where a test fails
    if not files[1].is_file():
        raise WorkflowError(f"The executor itself failed:\n{ended.stdout}")
    return json.loads(files[1].read_text(encoding="utf-8")), ended.stdout


def _read(outcome: dict[str, Any], log: str) -> Run:
    if "error" in outcome:
        raise WorkflowError(outcome["error"])
    if unmet := outcome.pop("unmet"):
        raise WorkflowError(f"These were asked for and met no job and no step: {', '.join(unmet)}")
    return dacite.from_dict(Run, {**outcome, "log": log}, dacite.Config(strict=True))
