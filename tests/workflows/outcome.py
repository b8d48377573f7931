"""How a run of a workflow went: the run, its jobs, their steps."""

from dataclasses import dataclass, field
from typing import Any, Literal

Result = Literal["success", "failure", "cancelled", "skipped"]


@dataclass(frozen=True)
class Annotation:
    """What stands out on the run's page."""

    level: Literal["error", "warning", "notice"]
    message: str
    title: str | None
    file: str | None
    line: int | None
    step: str | None


@dataclass(frozen=True)
class Step:
    """A step, also one inside a composite action (`parent` is then the id of the step around)."""

    id: str
    name: str
    names: list[str]
    number: int
    parent: str | None
    outcome: Result
    conclusion: Result
    outputs: dict[str, str]
    summary: str
    log: list[str]
    exit_code: int | None = None

    @property
    def text(self) -> str:
        """What it printed."""
        return "\n".join(self.log)


@dataclass(frozen=True)
class Job:
    """A job; `outcome` is its result before `continue-on-error`."""

    result: Result
    outputs: dict[str, str]
    steps: list[Step]
    annotations: list[Annotation]
    outcome: Result | None = None
    summary: str = ""
    runs_on: list[str] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)
    timeout_minutes: float | None = None
    environment: str | None = None
    environment_url: str | None = None
    concurrency: dict[str, Any] | None = None
    stubbed: bool = False

    def step(self, name: str) -> Step:
        """The first step that goes by `name`."""
        for step in self.steps:
            if name in (*step.names, step.id, step.name):
                return step
        raise KeyError(f"{name!r} is none of {[step.name for step in self.steps]}")

    def errors(self) -> list[str]:
        """The messages of the error annotations."""
        return [each.message for each in self.annotations if each.level == "error"]


@dataclass(frozen=True)
class Artifact:
    """What was uploaded; `days` is how long it is kept."""

    id: str
    name: str
    digest: str
    files: list[str]
    days: float
    job: str


@dataclass(frozen=True)
class Run:
    """How a run went. `jobs` are by path, in the order in which they ended."""

    result: Result
    outputs: dict[str, str]
    name: str | None
    concurrency: dict[str, Any] | None
    jobs: dict[str, Job]
    artifacts: list[Artifact]
    attestations: list[dict[str, str]]
    logins: list[dict[str, str | None]]
    dispatches: list[dict[str, Any]]
    cancelled: bool
    log: str

    def results(self) -> dict[str, Result]:
        """Each job's result, by path."""
        return {path: job.result for path, job in self.jobs.items()}

    def errors(self) -> list[str]:
        """The messages of all error annotations."""
        return [message for job in self.jobs.values() for message in job.errors()]

    def summaries(self) -> str:
        """All job summaries, one after another."""
        return "\n".join(job.summary for job in self.jobs.values() if job.summary)
