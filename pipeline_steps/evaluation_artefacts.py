"""`evaluation.json`, as types: how the candidate did, and what its answers are held against."""

from dataclasses import dataclass, field
from typing import ClassVar

from pipeline_steps.artefact import Artefact
from pipeline_steps.drift import Distribution


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
