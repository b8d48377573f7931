"""The files about a release and the run that made it, as types."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline_steps.artefact import Artefact
from pipeline_steps.evaluation_artefacts import GoldenAnswer

ROLLED_BACK = "Rolled back: "  # begins what an error says where the old release serves again
RELEASE_STEPS = ("deploy_endpoint", "create_api", "smoke_test", "create_alarms")


@dataclass(frozen=True)
class Release(Artefact):
    """What the endpoint of one environment was brought to."""

    FILE: ClassVar[str] = "release.json"
    STEP: ClassVar[str] = "deploy_endpoint"

    model_version: str
    endpoint_name: str
    endpoint_config_name: str
    model_data_url: str
    tarball_sha256: str
    model_package_arn: str


@dataclass(frozen=True)
class Api(Artefact):
    """Where clients reach the model."""

    FILE: ClassVar[str] = "api.json"
    STEP: ClassVar[str] = "create_api"

    api_id: str
    api_url: str
    function_name: str
    function_version: str
    endpoint_name: str


@dataclass(frozen=True)
class SmokeReport(Artefact):
    """What the live API answered."""

    FILE: ClassVar[str] = "smoke.json"
    STEP: ClassVar[str] = "smoke_test"

    api_url: str
    model_version: str
    golden_answers: int
    largest_score_difference: float
    first_answer_seconds: float
    median_answer_seconds: float
    refused_requests: dict[str, int]
    example: GoldenAnswer


@dataclass(frozen=True)
class ReleaseRecord(Artefact):
    """A record of an environment's history in S3: a release that passed its test, or a rollback.

    `reason` is "release", "rollback" or "teardown", `replaced` the identity of what served before:
    after a rollback, of the release that was withdrawn.
    """

    FILE: ClassVar[str] = "released.json"
    STEP: ClassVar[str] = "smoke_test"

    released_at: str
    reason: str
    model_version: str
    endpoint_name: str
    endpoint_config_name: str
    function_version: str
    model_data_url: str
    tarball_sha256: str
    model_package_arn: str
    git: dict[str, Any]
    replaced: str | None

    @property
    def identity(self) -> str:
        """What makes two releases the same: the endpoint's configuration and the function."""
        return f"{self.endpoint_config_name}@{self.function_version}"


@dataclass(frozen=True)
class StepRecord:
    """How one step of a run ended."""

    name: str
    status: str
    seconds: float
    detail: str = ""
    environment: str | None = None
    job: str | None = None

    @property
    def title(self) -> str:
        """The step's name, with the environment that it was about, if it was."""
        return f"{self.name} ({self.environment})" if self.environment else self.name


@dataclass(frozen=True)
class Origin:
    """Who or what started a run on GitHub, which change it is about, and where the run is."""

    actor: str
    event: str
    commit: str
    title: str
    change_url: str
    run_url: str


@dataclass(frozen=True)
class RunReport(Artefact):
    """A whole run: what each step did, and the error that ended it, if one did.

    `report_url` is where GitHub keeps `report.html`; elsewhere it lies in the work folder.
    """

    FILE: ClassVar[str] = "run.json"
    STEP: ClassVar[str] = "__main__"

    profile: str
    model_version: str | None
    steps: list[StepRecord]
    metrics: dict[str, float] = field(default_factory=dict)
    api_url: str | None = None
    endpoint_name: str | None = None
    cost: str | None = None
    error: str | None = None
    origin: Origin | None = None
    override: str | None = None  # why a model went on that failed a rule of the gate
    report_url: str | None = None

    @property
    def failed(self) -> StepRecord | None:
        """The step that ended the run, if one did."""
        return next((record for record in self.steps if record.status == "failed"), None)

    @property
    def production(self) -> str:
        """What became of production, in a sentence."""
        touched = {
            record.name: record
            for record in self.steps
            if record.environment == "production"
            and record.name in RELEASE_STEPS
            and record.status != "skipped"
        }
        failed = next((record for record in touched.values() if record.status == "failed"), None)
        if not touched:
            return "Production is untouched."
        if "smoke_test" in touched and touched["smoke_test"].status != "failed":
            return "The new version serves in production."
        if failed and ROLLED_BACK in failed.detail:
            return "The old version serves again in production."
        return "Production was reached; the error ends with what serves there now."
