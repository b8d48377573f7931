"""Judge what will ship: the candidate, through the server that will serve it.

    python -m pipeline_steps.evaluate --profile sst2 --min-accuracy 0.90

Reads `data.json` and `candidate/`, writes `evaluation.json`, and `predictions.json` for the next
model's comparison with this one. It ends with exit code 5 where a rule of `gate` fails: nothing
after it runs, unless a person says why it may, with --override.
"""

import dataclasses
import json
import sys
from typing import Any

from model.data import Splits
from model.slices import known_words
from pipeline_steps import (
    behaviour,
    champion,
    footprint,
    gate,
    gate_rationales,
    github,
    golden,
    step,
)
from pipeline_steps.aws import Clients
from pipeline_steps.candidate import explained, refuse_changed, temperature_of
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.files import file_hash, hash_of
from pipeline_steps.fingerprint import MODEL_SOURCES
from pipeline_steps.model_artefacts import DataReport, ExportReport
from pipeline_steps.predictions import Predictions, hash_of_rows, positive
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome
from pipeline_steps.tally import Tally

GOLDEN_ANSWERS = 32
SUITE = ("slices.py", "behaviour.py", "behaviour.toml")


def run(settings: Settings, clients: Clients) -> Outcome:
    """Evaluate the candidate on the validation split and hold it against the rules.

    Raises:
        GateNotMetError: a rule fails, and no override is given; `evaluation.json` is written.
        TrainingFailedError: the candidate is damaged, or does not answer.
    """
    exported = ExportReport.load(settings.work_dir)
    data_hash = DataReport.load(settings.work_dir).data_hash
    found = Evaluation.find(settings.work_dir)
    answers = Predictions.find(settings.work_dir)
    reused = found is not None and _is_of(found, answers, exported, data_hash)
    if found is None or answers is None or not reused:
        measured, answers = _evaluate(settings, exported, data_hash)
        answers.save(settings.work_dir)
    else:
        measured = found
    against = champion.compare(settings, clients, answers, measured.champion)
    evaluation = gate.judged(
        dataclasses.replace(gate_rationales.added(measured, settings), champion=against), settings
    )
    if evaluation != found:
        evaluation.save(settings.work_dir)
    github.set_output("model_version", evaluation.model_version)
    github.set_output("metrics", json.dumps(evaluation.metrics))
    github.set_output("override", evaluation.overridden or "")
    gate.refuse_failed(evaluation, settings)
    return Outcome("reused" if reused else "done", _detail(settings, evaluation, exported))


def _is_of(
    found: Evaluation, answers: Predictions | None, exported: ExportReport, data_hash: str
) -> bool:
    """Whether what an earlier run left is of this candidate, these rows and these tests."""
    inputs = (exported.candidate_hash, data_hash, suite_hash())
    same = (found.candidate_hash, found.data_hash, found.suite_hash) == inputs
    return same and answers is not None and answers.candidate_hash == found.candidate_hash


def suite_hash() -> str:
    """Of what the slices and the behaviour tests are."""
    return hash_of({name: file_hash(MODEL_SOURCES / name) for name in SUITE})


def _detail(settings: Settings, evaluation: Evaluation, exported: ExportReport) -> str:
    low, high = evaluation.accuracy_interval
    detail = (
        f"accuracy {evaluation.accuracy:.3f} (95 % interval {low:.3f} to {high:.3f}) on "
        f"{evaluation.rows:,} sentences, bar {settings.gate.min_accuracy:.2f}"
    )
    if evaluation.points_lost is not None:
        name = exported.precisions[-1].name
        detail += f"; {name} loses {evaluation.points_lost:.2f} points against fp32"
    if warnings := sum(rule.verdict == "warn" for rule in evaluation.rules):
        verb = "warns" if warnings == 1 else "warn"
        detail += f"; {warnings} of {len(evaluation.rules)} rules {verb} (report.html)"
    if evaluation.overridden:
        names = ", ".join(rule.name for rule in evaluation.failed)
        detail += f"; OVERRIDDEN ({names}): {evaluation.overridden}"
    return detail


def _evaluate(
    settings: Settings, exported: ExportReport, data_hash: str
) -> tuple[Evaluation, Predictions]:
    candidate = settings.work_dir / "candidate"
    refuse_changed(candidate, exported)
    splits = read_checked_data(settings)
    texts = [example.sentence for example in splits.validation]
    predictions: list[dict[str, Any]] = []
    try:
        with ServingProcess(candidate) as server, ProgressReporter("evaluating") as reporter:
            for prediction in golden.ask(server, texts):
                predictions.append(prediction)
                reporter.update(len(predictions), len(texts))
            temperature = temperature_of(candidate)
            measured = measure(splits, predictions, exported, data_hash, temperature)
            evaluation = dataclasses.replace(
                measured,
                mistakes=explained(server, measured.mistakes),
                behaviour=behaviour.ask(server),
                footprint=footprint.of(server, candidate, texts),
            )
    except ServingError as error:
        raise TrainingFailedError(f"The candidate cannot be evaluated. {error}") from error
    return evaluation, Predictions(
        model_version=exported.model_version,
        candidate_hash=exported.candidate_hash,
        rows_hash=hash_of_rows(splits.validation),
        positive=[positive(said) for said in predictions],
    )


def measure(
    splits: Splits,
    predictions: list[dict[str, Any]],
    exported: ExportReport,
    data_hash: str,
    temperature: float = 1.0,
) -> Evaluation:
    """Hold `predictions` against the labels of the validation split, row by row."""
    tally = Tally(known_words(example.sentence for example in splits.train), temperature)
    answers = []
    for example, said in zip(splits.validation, predictions, strict=True):
        tally.add(example, said)
        answers.append(GoldenAnswer(example.sentence, said["label"], said["score"]))
    return Evaluation(
        model_version=exported.model_version,
        candidate_hash=exported.candidate_hash,
        data_hash=data_hash,
        suite_hash=suite_hash(),
        golden=golden.choose(answers, GOLDEN_ANSWERS),
        fp32_accuracy=exported.fp32_accuracy,
        **tally.figures(),
    )


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
