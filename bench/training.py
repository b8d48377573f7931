"""How fast training is, beside a plain loop and transformers' Trainer, on the same model and data.

    make bench-training ARGS="--data path/to/sst2 --backbone path/to/backbone"

All run in turn (A B C, A B C, …), with cross-entropy alone; the fourth row is ours with REINFORCE,
which the others do not have. A run of each is then followed by its validation loss: the time to the
loss that all of them reach is the steps it took, times the median seconds of a step. With
`--threads 1` seconds are the process's own, so that other work on the machine hardly counts.
"""

import argparse
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from bench.report import Report
from bench.training_systems import Measured, System, Task, ours, plain_loop, trainer, with_reinforce
from model.data import Splits, read_splits
from model.optimization import pick_device, pick_precision
from model.settings import TrainingSettings
from model.tokenizer import load_tokenizer

OURS, PLAIN, TRAINER, REINFORCE = "ours", "plain loop", "Trainer", "ours, REINFORCE"
SYSTEMS: dict[str, System] = {
    OURS: ours,
    PLAIN: plain_loop,
    TRAINER: trainer,
    REINFORCE: with_reinforce,
}
SLOW_STEPS = 5  # of the plain loop, whose steps are all alike
NOISE = 0.03  # two standard errors of an accuracy over 872 sentences


def main() -> int:
    """Run the benchmark; returns 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="folder of SST-2")
    parser.add_argument("--backbone", required=True, help="folder of the backbone, or random:…")
    parser.add_argument("--tokenizer", help="folder of the tokenizer (the backbone's)")
    parser.add_argument("--steps", type=int, default=40, help="timed steps a run (40)")
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each (3)")
    parser.add_argument("--curve", type=int, default=80, help="steps of the loss's curve (80)")
    parser.add_argument("--sentences", type=int, default=10_000, help="to train on (10,000)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (all cores)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-training-") as folder:
        task = Task(
            backbone=arguments.backbone,
            tokenizer=load_tokenizer(arguments.tokenizer or arguments.backbone),
            splits=some_of(read_splits(arguments.data), arguments.sentences),
            settings=TrainingSettings(
                threads=arguments.threads,
                reinforce=False,
                precision=pick_precision("auto", pick_device()),
            ),
            folder=Path(folder),
        )
        speeds = measure_speeds(task, arguments.steps, arguments.rounds)
        curves = measure_curves(task, arguments.curve) if arguments.curve else {}
    return report(task, speeds, curves).finish()


def some_of(splits: Splits, count: int) -> Splits:
    """As many sentences of the training set, from all over it."""
    chosen = random.Random(0).sample(splits.train, min(count, len(splits.train)))  # noqa: S311
    return replace(splits, train=chosen)


def measure_speeds(task: Task, steps: int, rounds: int) -> dict[str, list[float]]:
    """Examples a second of each system, in turn."""
    speeds: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    for number in range(rounds):
        for name, system in SYSTEMS.items():
            count = SLOW_STEPS if name == PLAIN else steps
            speeds[name].append(system(task, count, count).examples_per_second)
            print(f"round {number + 1}, {name}: {speeds[name][-1]:,.1f} examples/s", flush=True)
    return speeds


def measure_curves(task: Task, steps: int) -> dict[str, Measured]:
    """One longer run of each but REINFORCE, evaluated six times."""
    curves = {}
    for name in (OURS, PLAIN, TRAINER):
        curves[name] = SYSTEMS[name](task, steps, max(steps // 6, 1))
        losses = ", ".join(f"{loss:.3f}" for loss in curves[name].losses.values())
        print(f"{name}, validation loss: {losses}", flush=True)
    return curves


def report(task: Task, speeds: dict[str, list[float]], curves: dict[str, Measured]) -> Report:
    """The figures, and the bars that they are held to."""
    figures = Report("training")
    figures.row("all", "CPU threads", task.settings.threads or torch.get_num_threads(), "")
    medians = {name: median(values) for name, values in speeds.items()}
    for name, values in speeds.items():
        figures.row(name, "examples a second", medians[name], "1/s")
        figures.row(name, "least of the rounds", min(values), "1/s")
        figures.row(name, "most of the rounds", max(values), "1/s")
    figures.row(OURS, "times the plain loop", medians[OURS] / medians[PLAIN], "x", ">= 8")
    figures.row(OURS, "times Trainer", medians[OURS] / medians[TRAINER], "x", ">= 1.2")
    if curves:
        target = max(min(curve.losses.values()) for curve in curves.values())
        figures.row("all", "validation loss to reach", target, "nats")
        for name, curve in curves.items():
            steps = min(step for step, loss in curve.losses.items() if loss <= target)
            seconds = steps * task.settings.batch_size / medians[name]
            figures.row(name, f"seconds to it, {steps} steps", seconds, "s")
            figures.row(name, "best validation accuracy", max(curve.accuracies.values()), "share")
        best = {name: max(curve.accuracies.values()) for name, curve in curves.items()}
        behind = max(best.values()) - best[OURS]
        figures.row(OURS, "accuracy behind the best", behind, "share", f"<= {NOISE}")
    figures.ratios = {
        f"examples a second, {OURS} / {name}": medians[OURS] / medians[name]
        for name in SYSTEMS
        if name != OURS
    }
    return figures


if __name__ == "__main__":
    sys.exit(main())
