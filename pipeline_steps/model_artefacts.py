"""The files about a model, its data and its making, as types; all lie in one work folder."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline_steps.artefact import Artefact
from pipeline_steps.files import hash_of


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

    `package_versions` are those of this environment, which may be others than the training's.
    `precisions` starts with float32 and ends with what ships; `inputs` is what determined them.
    With runtime pytorch both are empty.
    """

    FILE: ClassVar[str] = "export.json"
    STEP: ClassVar[str] = "export"

    model_version: str
    runtime: str
    parameters: int
    files: dict[str, str]
    git: dict[str, Any]
    package_versions: dict[str, str] = field(default_factory=dict)
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
class Manifest(Artefact):
    """Which data, code, settings and packages made the tarball with this hash.

    `trained_at` and `exported_at` are the commits that were checked out: a reused model may be
    older than the serving code that ships with it. `package_versions` trained it, in the image of
    the job `trained_in` if one did; `exported_with` are the project's, which made what ships.
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
    trained_in: dict[str, Any] = field(default_factory=dict)
    exported_with: dict[str, str] = field(default_factory=dict)
    override: str | None = None  # why it was packed although a rule of the gate failed
