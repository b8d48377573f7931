"""The files that the steps read and write, as types; all lie in one work folder."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline_steps.artefact import Artefact
from pipeline_steps.drift import Distribution
from pipeline_steps.files import hash_of

ROLLED_BACK = "Rolled back: "  # begins what an error says where the old release serves again
RELEASE_STEPS = ("deploy_endpoint", "create_api", "smoke_test", "create_alarms")


@dataclass(frozen=True)
class Finding:
    """What one check found: `count` rows, the first few shown in `examples`."""

    check: str
    level: str
    count: int
    message: str
    examples: list[str]


@dataclass(frozen=True)
class SplitReport:
    """One split in numbers; `words` counts sentences by their length in words."""

    rows: int
    positive_share: float
    mean_words: float
    words: dict[str, int]


@dataclass(frozen=True)
class DataReport(Artefact):
    """What the data check saw."""

    FILE: ClassVar[str] = "data.json"
    STEP: ClassVar[str] = "check_data"

    source: str
    data_hash: str
    splits: dict[str, SplitReport]
    findings: list[Finding]

    @property
    def blocking(self) -> list[Finding]:
        """The findings that stop the pipeline."""
        return [finding for finding in self.findings if finding.level == "block"]


@dataclass(frozen=True)
class TrainingReport(Artefact):
    """Which inputs made the checkpoint beside this file, and how training went.

    `trained_in` is the SageMaker training job that made it, if one did.
    """

    FILE: ClassVar[str] = "training.json"
    STEP: ClassVar[str] = "train"

    model_version: str
    fingerprint: str
    inputs: dict[str, Any]
    result: dict[str, Any]
    git: dict[str, Any]
    package_versions: dict[str, str]
    files: dict[str, str]
    trained_in: dict[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The model in a line."""
        return f"model {self.model_version}, accuracy {self.result['best_accuracy']:.3f}"


@dataclass(frozen=True)
class Precision:
    """A precision that export tried; `kept` names the layers that stayed in float32."""

    name: str
    bytes: int
    accuracy: dict[str, float]
    kept: list[str]


@dataclass(frozen=True)
class ExportReport(Artefact):
    """Which files `candidate/` holds, by their SHA-256, and the commit that exported them.

    `precisions` starts with float32 and ends with what ships; `inputs` is what, beside the
    checkpoint, determined them. With runtime pytorch both are empty.
    """

    FILE: ClassVar[str] = "export.json"
    STEP: ClassVar[str] = "export"

    model_version: str
    runtime: str
    parameters: int
    files: dict[str, str]
    git: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    precisions: list[Precision] = field(default_factory=list)

    @property
    def fp32_accuracy(self) -> float | None:
        """The accuracy of the float32 model on the validation split, where it was measured."""
        return self.precisions[0].accuracy["validation"] if self.precisions else None

    @property
    def candidate_hash(self) -> str:
        """SHA-256 over the names and hashes of all files."""
        return hash_of(self.files)


@dataclass(frozen=True)
class GoldenAnswer:
    """A text with the answer of the evaluated candidate; `score` is the probability of `label`."""

    text: str
    label: str
    score: float


@dataclass(frozen=True)
class Mistake:
    """A text that the candidate judged wrongly; `score` is the probability of what it answered."""

    text: str
    label: str
    answered: str
    score: float


@dataclass(frozen=True)
class Evaluation(Artefact):
    """How the candidate did on the validation split.

    `mistakes` are those it was surest of. `baseline` is what the monitor holds live answers
    against; None in files from before there was one. `fp32_accuracy` is that of the same model in
    float32, where it ships in ONNX.
    """

    FILE: ClassVar[str] = "evaluation.json"
    STEP: ClassVar[str] = "evaluate"

    model_version: str
    candidate_hash: str
    data_hash: str
    rows: int
    accuracy: float
    accuracy_interval: list[float]
    f1: float
    per_class: dict[str, dict[str, float]]
    confusion_matrix: dict[str, dict[str, int]]
    golden: list[GoldenAnswer]
    baseline: Distribution | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    fp32_accuracy: float | None = None

    @property
    def points_lost(self) -> float | None:
        """Hundredths of accuracy that the precision costs; negative where it gains by chance."""
        return None if self.fp32_accuracy is None else 100 * (self.fp32_accuracy - self.accuracy)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that the manifest, the run and the mail carry."""
        low, high = self.accuracy_interval
        lost = {} if self.points_lost is None else {"points_lost": self.points_lost}
        return lost | {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "f1": self.f1,
            "rows": float(self.rows),
        }


@dataclass(frozen=True)
class Manifest(Artefact):
    """Which data, code, settings and packages made the tarball with this hash.

    `trained_at` and `exported_at` are the commits that were checked out: a reused model may be
    older than the serving code that ships with it.
    """

    FILE: ClassVar[str] = "manifest.json"
    STEP: ClassVar[str] = "package_model"

    model_version: str
    fingerprint: str
    trained_at: dict[str, Any]
    exported_at: dict[str, Any]
    data_hash: str
    data_source: str
    settings: dict[str, Any]
    metrics: dict[str, float]
    package_versions: dict[str, str]
    files: dict[str, str]
    tarball_sha256: str
    tarball_bytes: int
    runtime: str = "pytorch"  # as all were before there was another


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
    """A whole run: what each step did, and the error that ended it, if one did."""

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
