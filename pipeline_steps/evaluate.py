"""Judge what will ship: the candidate, through the server that will serve it.

    python -m pipeline_steps.evaluate --profile sst2 --min-accuracy 0.90

Reads `data.json` and `candidate/`, writes `evaluation.json`, and ends with exit code 5 where the
accuracy is below `min_accuracy`: nothing after it runs.
"""

import json
import sys
from typing import Any

from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from model.data import LABELS, Example
from pipeline_steps import drift, github, golden, step
from pipeline_steps.aws import Clients
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer, Mistake
from pipeline_steps.files import file_hashes
from pipeline_steps.gate import refuse_below_bar
from pipeline_steps.model_artefacts import DataReport, ExportReport
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

GOLDEN_ANSWERS = 32
MISTAKES = 10  # the worst ones, which are looked at first


def run(settings: Settings, clients: Clients) -> Outcome:
    """Evaluate the candidate on the validation split and hold it against the bar.

    Raises:
        GateNotMetError: the accuracy is below `min_accuracy`; `evaluation.json` is written.
        TrainingFailedError: the candidate is damaged, or does not answer.
    """
    exported = ExportReport.load(settings.work_dir)
    data_hash = DataReport.load(settings.work_dir).data_hash
    evaluation = Evaluation.find(settings.work_dir)
    known = (exported.candidate_hash, data_hash)
    reused = evaluation is not None and (evaluation.candidate_hash, evaluation.data_hash) == known
    if evaluation is None or not reused:
        evaluation = _evaluate(settings, exported, data_hash)
        evaluation.save(settings.work_dir)
    github.set_output("model_version", evaluation.model_version)
    github.set_output("metrics", json.dumps(evaluation.metrics))
    refuse_below_bar(evaluation, settings)
    low, high = evaluation.accuracy_interval
    return Outcome(
        "reused" if reused else "done",
        f"accuracy {evaluation.accuracy:.3f} (95 % interval {low:.3f} to {high:.3f}) on "
        f"{evaluation.rows:,} sentences, bar {settings.gate.min_accuracy:.2f}"
        f"{_cost_of_precision(evaluation, exported)}",
    )


def _cost_of_precision(evaluation: Evaluation, exported: ExportReport) -> str:
    if evaluation.points_lost is None:
        return ""
    name = exported.precisions[-1].name
    return f"; {name} loses {evaluation.points_lost:.2f} points against fp32"


def _evaluate(settings: Settings, exported: ExportReport, data_hash: str) -> Evaluation:
    candidate = settings.work_dir / "candidate"
    if file_hashes(candidate) != exported.files:
        raise TrainingFailedError(
            f"{candidate} is not what export wrote. Run `python -m pipeline_steps.export` again."
        )
    splits = read_checked_data(settings)
    texts = [example.sentence for example in splits.validation]
    predictions: list[dict[str, Any]] = []
    try:
        with ServingProcess(candidate) as server, ProgressReporter("evaluating") as reporter:
            for prediction in golden.ask(server, texts):
                predictions.append(prediction)
                reporter.update(len(predictions), len(texts))
    except ServingError as error:
        raise TrainingFailedError(f"The candidate cannot be evaluated. {error}") from error
    return measure(splits.validation, predictions, exported, data_hash)


def measure(
    examples: list[Example],
    predictions: list[dict[str, Any]],
    exported: ExportReport,
    data_hash: str,
) -> Evaluation:
    """Hold `predictions` against the labels of `examples`, row by row.

    The interval is Wilson's (1927), which stays inside [0, 1] for good models and few rows.
    """
    pairs = list(zip((example.sentence for example in examples), predictions, strict=True))
    answers = [GoldenAnswer(text, said["label"], said["score"]) for text, said in pairs]
    truth = [LABELS[example.label] for example in examples]
    predicted = [answer.label for answer in answers]
    correct = sum(want == got for want, got in zip(truth, predicted, strict=True))
    interval = binomtest(correct, len(truth)).proportion_ci(0.95, method="wilson")
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=LABELS, zero_division=0.0
    )
    counts = confusion_matrix(truth, predicted, labels=LABELS)
    return Evaluation(
        model_version=exported.model_version,
        candidate_hash=exported.candidate_hash,
        data_hash=data_hash,
        rows=len(truth),
        accuracy=correct / len(truth),
        accuracy_interval=[float(interval.low), float(interval.high)],
        # F1 of the positive class, as GLUE reports it for its binary tasks
        f1=float(f1[1]),
        per_class={
            label: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "rows": float(support[i]),
            }
            for i, label in enumerate(LABELS)
        },
        confusion_matrix={
            want: {got: int(counts[i][j]) for j, got in enumerate(LABELS)}
            for i, want in enumerate(LABELS)
        },
        golden=golden.choose(answers, GOLDEN_ANSWERS),
        baseline=drift.describe(
            drift.Answer(said["label"], said["score"], len(text), _unknown_share(said))
            for text, said in pairs
        ),
        mistakes=_worst(answers, truth),
        fp32_accuracy=exported.fp32_accuracy,
    )


def _worst(answers: list[GoldenAnswer], truth: list[str]) -> list[Mistake]:
    """The wrong answers that were given with the most confidence."""
    wrong = [
        Mistake(said.text, want, said.label, said.score)
        for said, want in zip(answers, truth, strict=True)
        if said.label != want
    ]
    return sorted(wrong, key=lambda mistake: -mistake.score)[:MISTAKES]


def _unknown_share(said: dict[str, Any]) -> float | None:
    """The share of tokens that the tokenizer does not know; None for a text without any."""
    return said["unknown_tokens"] / said["tokens"] if said["tokens"] else None


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
