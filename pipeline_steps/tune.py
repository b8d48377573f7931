"""Search the training settings of a profile: seeded, resumable, on short runs.

    make tune PROFILE=sst2 DATA=path/to/sst2 BACKBONE=path/to/backbone TRIALS=12 STEPS=200

Each trial trains `STEPS` steps with other settings; one that is behind the others half-way is
stopped, and so is one whose loss is no number any more. The first has the profile's own. Trials are
kept in `build/<profile>/tune.db`, a study of Optuna's in SQLite: the same command goes on from
there, and tells the best at the end.
"""

import argparse
import dataclasses
import math
import shutil
import sys
from typing import Any

from model import held_out
from model.report import DivergedError, TrainingProgress
from model.settings import TrainingSettings
from pipeline_steps import settings as settings_module
from pipeline_steps import step
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import ConfigurationError, TrainingFailedError
from pipeline_steps.local_training import load_start, training_errors
from pipeline_steps.settings import Settings
from pipeline_steps.training_plan import TrainingPlan, plan_for

LOOKS = 4  # evaluations a trial; from the half on it may be stopped after each
FEWEST = 3  # trials that are never stopped, to compare others with
# What is searched, and between which values.
RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (1e-4, 2e-3),
    "gate_learning_rate": (3e-4, 3e-2),
    "dropout": (0.0, 0.2),
    "layer_decay": (0.7, 1.0),
    "label_smoothing": (0.0, 0.15),
}
ON_A_LOG_SCALE = {"learning_rate", "gate_learning_rate"}
ENDED = ("COMPLETE", "PRUNED")  # states of trials that count; one that was interrupted does not
AS_IT_WAS, DIVERGED, ACCURACY = "as it was", "diverged", "accuracy"  # what is noted of a trial


def main(arguments: list[str] | None = None) -> int:
    """Search, print the trials, and give the exit code."""
    parser = step.parser_with_flags(__doc__)
    parser.add_argument("--trials", type=int, default=12, help="trials in all (12)")
    parser.add_argument("--trial-steps", type=int, default=200, help="steps of a trial (200)")
    parsed = parser.parse_args(arguments)
    return step.exit_code_of(lambda: _tune(parsed), "tune")


def _tune(arguments: argparse.Namespace) -> None:
    settings = settings_module.from_flags(arguments)
    with step.locked(settings.work_dir):
        study = search(settings, arguments.trials, arguments.trial_steps)
    print(table(study))
    if _best_loss(study) is None:
        raise TrainingFailedError(
            "No trial gave a finite loss, with the profile's own settings neither. Lower its "
            "learning rates, or set precision to fp32."
        )
    best = {name: float(f"{value:.3g}") for name, value in study.best_params.items()}
    print(f"\nbest, with validation loss {study.best_value:.4f}; in [{settings.profile}.training]:")
    print("\n".join(f"{name} = {value}" for name, value in best.items()))


def search(settings: Settings, trials: int, steps: int) -> Any:
    """Run what is missing of `trials` trials; gives Optuna's study.

    Raises:
        ConfigurationError: Optuna is not installed, or the study is of other data or code.
        DataCheckError: the data is not what `check_data` passed.
        TrainingFailedError: a trial cannot go on, and not for its settings.
        KeyboardInterrupt: a signal came; the trial at hand is tried anew by the same call.
    """
    optuna = _optuna()
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # of a failed trial, our error tells
    planned = plan_for(settings, read_checked_data(settings))
    study = optuna.create_study(
        storage=f"sqlite:///{settings.work_dir / 'tune.db'}",
        study_name=f"{planned.model_version}-{steps}",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FEWEST, n_warmup_steps=steps // 2 - 1),
    )
    own = dataclasses.asdict(settings.training)
    if not any(AS_IT_WAS in trial.user_attrs for trial in _in(study, "WAITING", *ENDED)):
        study.enqueue_trial({name: own[name] for name in RANGES}, {AS_IT_WAS: True})
    with ProgressReporter("trial") as reporter:
        while (done := len(_in(study, *ENDED))) < trials:
            # A seed for each trial, so that a search that was killed goes on as if it had not been.
            study.sampler = optuna.samplers.TPESampler(
                seed=settings.training.seed + done, n_startup_trials=FEWEST
            )
            study.optimize(lambda trial: _try(trial, settings, planned, steps), n_trials=1)
            best = _best_loss(study)
            note = "" if best is None else f"best loss {best:.4f}"
            reporter.update(done + 1, trials, note)
    return study


def _in(study: Any, *states: str) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in states]


def _best_loss(study: Any) -> float | None:
    return min((trial.value for trial in _in(study, "COMPLETE")), default=None)


def _try(trial: Any, settings: Settings, planned: TrainingPlan, steps: int) -> float:
    """Train a little with a trial's settings; gives the best validation loss."""
    from model.training import train  # noqa: PLC0415 - imports torch

    chosen = {
        name: trial.suggest_float(name, low, high, log=name in ON_A_LOG_SCALE)
        for name, (low, high) in RANGES.items()
    }
    training = for_trial(settings.training, len(planned.splits.train), steps, chosen)
    tried = dataclasses.replace(settings, training=training)

    def watch(report: TrainingProgress) -> None:
        last = report.last_evaluation
        if last and last.step == report.step < steps:
            trial.report(last.validation_loss, last.step)
            if trial.should_prune():
                raise _optuna().TrialPruned

    work_dir = settings.work_dir / "trial"
    shutil.rmtree(work_dir, ignore_errors=True)
    model, tokenizer = load_start(tried, planned)
    try:
        with training_errors():
            result = train(
                model,
                tokenizer,
                train_set=held_out.split(planned.splits.train)[0],
                validation_set=planned.splits.validation,
                settings=training,
                work_dir=work_dir,
                progress=watch,
                fingerprint=str(trial.number),
            )
    except TrainingFailedError as error:
        if not isinstance(error.__cause__, DivergedError):
            raise
        trial.set_user_attr(DIVERGED, True)
        raise _optuna().TrialPruned from error
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    trial.set_user_attr(ACCURACY, result.best_accuracy)
    return result.best_loss


def for_trial(
    training: TrainingSettings, rows: int, steps: int, chosen: dict[str, float]
) -> TrainingSettings:
    """Settings of a run of `steps` steps with `LOOKS` evaluations, evenly."""
    epoch = -(-rows // training.batch_size)
    return dataclasses.replace(
        training,
        epochs=-(-steps // epoch),
        max_steps=steps,
        evaluations_per_epoch=max(round(LOOKS * epoch / steps), 1),
        patience=0,
        **chosen,  # type: ignore[arg-type]
    )


def table(study: Any) -> str:
    """All trials as Markdown, the best first."""
    lines = [f"| trial | {' | '.join(RANGES)} | loss | accuracy |"]
    lines.append("|---" * (len(RANGES) + 3) + "|")
    for trial in sorted(_in(study, *ENDED), key=_loss):
        values = " | ".join(f"{trial.params[name]:.3g}" for name in RANGES)
        accuracy = trial.user_attrs.get(ACCURACY)
        told = "stopped" if accuracy is None else f"{accuracy:.3f}"
        name = f"{trial.number} ({AS_IT_WAS})" if AS_IT_WAS in trial.user_attrs else trial.number
        loss = f"{_loss(trial):.4f} | {told}" if _loss(trial) < math.inf else f"| {DIVERGED}"
        lines.append(f"| {name} | {values} | {loss} |")
    return "\n".join(lines)


def _loss(trial: Any) -> float:
    return math.inf if DIVERGED in trial.user_attrs else trial.value


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ConfigurationError(
            "make tune needs Optuna. Install it with `pip install -r requirements-experiments.txt`."
        ) from error
    return optuna


if __name__ == "__main__":
    sys.exit(main())
