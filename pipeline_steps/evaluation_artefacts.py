"""`evaluation.json`, as types: how the candidate did, and by which rules it was judged."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pipeline_steps.artefact import Artefact
from pipeline_steps.drift import Distribution

Verdict = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class GoldenAnswer:
    """A text with the answer of the evaluated candidate; `score` is the probability of `label`."""

    text: str
    label: str
    score: float


@dataclass(frozen=True)
class Token:
    """A token at its place in the text, in characters, and its gate: how much it counts."""

    text: str
    start: int
    end: int
    gate: float


@dataclass(frozen=True)
class Mistake:
    """A text that the candidate judged wrongly; `score` is the probability of what it answered."""

    text: str
    label: str
    answered: str
    score: float
    explanation: list[Token] = field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """One rule of the gate: its number and its bar, where it has such, and a sentence on both."""

    name: str
    verdict: Verdict
    value: float | None
    bar: float | None
    detail: str


@dataclass(frozen=True)
class SliceResult:
    """The rows of one kind, as `model/slices.py` finds them; `interval` is None without any."""

    name: str
    description: str
    rows: int
    accuracy: float | None
    interval: list[float] | None


@dataclass(frozen=True)
class BehaviourCase:
    """A case that failed: what was asked, what was expected and what came; `score` is of that.

    `original` is the text that `text` was made from; None where the label itself is the test.
    """

    text: str
    expected: str
    answered: str
    score: float
    original: str | None = None


@dataclass(frozen=True)
class BehaviourResult:
    """One behaviour test: how many of its cases failed, and the worst of them.

    `kind` is CheckList's: MFT (minimum functionality), INV (invariance) or DIR (direction).
    """

    name: str
    kind: Literal["MFT", "INV", "DIR"]
    capability: str
    cases: int
    failed: int
    worst: list[BehaviourCase]

    @property
    def pass_rate(self) -> float:
        """The share of cases that passed."""
        return 1 - self.failed / self.cases


@dataclass(frozen=True)
class ReliabilityBin:
    """The answers whose score is in one bin: their mean score, and the share that was right."""

    confidence: float
    accuracy: float
    rows: int


@dataclass(frozen=True)
class Reliability:
    """Whether a score of 0.9 means right 9 times in 10; the bins that hold no answer are absent."""

    ece: float
    brier: float
    bins: list[ReliabilityBin]


@dataclass(frozen=True)
class Calibration:
    """What the temperature in the candidate's configuration does; `before` is as if it were 1."""

    temperature: float
    before: Reliability
    after: Reliability


@dataclass(frozen=True)
class Champion:
    """The model to beat, on the same rows; without one, or without its answers, `reason` says why.

    `only_candidate_right` and `only_champion_right` are the discordant rows, `p_value` is
    McNemar's exact one, two-sided. Comparisons of before have no `f1`, `ece` and `brier`.
    """

    reason: str | None = None
    model_version: str | None = None
    accuracy: float | None = None
    rows: int | None = None
    only_candidate_right: int | None = None
    only_champion_right: int | None = None
    p_value: float | None = None
    model_data_url: str | None = None
    f1: float | None = None
    ece: float | None = None
    brier: float | None = None


@dataclass(frozen=True)
class Footprint:
    """What the candidate costs whoever serves it: its size, and its time for one sentence."""

    megabytes: float
    median_milliseconds: float
    p95_milliseconds: float


@dataclass(frozen=True)
class Evaluation(Artefact):
    """How the candidate did on the validation split.

    `mistakes` are those it was surest of. `baseline` is what the monitor holds live answers
    against; None in files from before there was one, as are the fields after it. `fp32_accuracy`
    is that of the same model in float32, where it ships in ONNX. `override` is the reason that a
    person gave for going on although a rule says fail. `rationales` is what `model.rationales`
    measures of the checkpoint's gate, where that was asked for.
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
    slices: list[SliceResult] = field(default_factory=list)
    behaviour: list[BehaviourResult] = field(default_factory=list)
    calibration: Calibration | None = None
    footprint: Footprint | None = None
    champion: Champion | None = None
    rules: list[Rule] = field(default_factory=list)
    override: str | None = None
    rationales: dict[str, float | None] | None = None
    suite_hash: str = ""  # of the slices and behaviour tests that it was judged by

    @property
    def points_lost(self) -> float | None:
        """Hundredths of accuracy that the precision costs; negative where it gains by chance."""
        return None if self.fp32_accuracy is None else 100 * (self.fp32_accuracy - self.accuracy)

    @property
    def failed(self) -> list[Rule]:
        """The rules that stop the pipeline, unless a person overrides them."""
        return [rule for rule in self.rules if rule.verdict == "fail"]

    @property
    def overridden(self) -> str | None:
        """Why it goes on although a rule says fail; None where none does, or nobody said why."""
        return self.override if self.failed else None

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
