"""What a training run tells: its progress while it runs, its result when it ends, or why not."""

from dataclasses import dataclass
from typing import Protocol


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which step and what is kept."""


class DivergedError(TrainingError):
    """A loss or a gradient is not finite, and with the same settings will be so again."""


class TrainingInterrupted(TrainingError):  # noqa: N818 - not a failure
    """SIGINT or SIGTERM came; the state is saved and the same call goes on from there."""


@dataclass(frozen=True)
class Evaluation:
    """One look at the validation set; losses in nats, `seconds` since training began.

    The last three are there with REINFORCE: means, since the evaluation before, of the reward in
    nats, of the share of tokens that was kept, and of a decision's entropy in nats.
    """

    step: int
    epoch: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    reward: float | None = None
    kept_share: float | None = None
    entropy: float | None = None


@dataclass(frozen=True)
class TrainingProgress:
    """What a progress bar may show; `loss` and what follows it are means as in `Evaluation`."""

    step: int
    total_steps: int
    epoch: float
    examples_per_second: float
    loss: float
    last_evaluation: Evaluation | None
    reward: float | None = None
    kept_share: float | None = None
    entropy: float | None = None


class Progress(Protocol):
    """Told of progress about twice a second, and after each evaluation."""

    def __call__(self, report: TrainingProgress) -> None:
        """Show it."""


@dataclass(frozen=True)
class TrainingResult:
    """How training went; the best model is in `work_dir/best`.

    `seconds` and `examples_per_second` cover all runs from the first start and include the
    evaluations; `peak_memory_bytes` is the GPU's, or the process's on CPU. `cut_sentences` of both
    sets were longer than the limit; `processes` shared each batch, and each computed its share in
    `batch_parts` parts.
    """

    best_accuracy: float
    best_loss: float
    best_step: int
    history: tuple[Evaluation, ...]
    steps: int
    seconds: float
    examples_per_second: float
    peak_memory_bytes: int
    device: str
    early_stopped: bool
    resumed_from_step: int
    batch_parts: int
    precision: str = "fp32"
    processes: int = 1
    cut_sentences: int = 0
