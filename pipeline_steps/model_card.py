"""The model card that ships in the tarball: README.md in the format of the Hugging Face hub.

https://huggingface.co/docs/hub/model-cards

Its numbers are those of the report. What would differ between two runs that make the same model (a
date, a time, a latency, the champion) is not in it: the tarball's hash names the release.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from pipeline_steps import markdown, report_content
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.model_artefacts import DataReport, ExportReport, TrainingReport
from pipeline_steps.report_content import percent
from pipeline_steps.settings import Settings

FILE = "README.md"
TEMPLATE = Path(__file__).parent / "templates" / "model_card.md.j2"
FEWEST_ROWS = 30  # of a slice that may be called the weakest


def card(
    settings: Settings, evaluation: Evaluation, trained: TrainingReport, exported: ExportReport
) -> str:
    """The card's text."""
    data = DataReport.load(settings.work_dir)
    source = Path(data.source).name if _is_local(data.source) else data.source
    made = ModelCard.from_template(
        _front_matter(evaluation, trained, exported, source),
        template_path=str(TEMPLATE),
        version=exported.model_version,
        files=", ".join(f"`{name}`" for name in sorted(exported.files)),
        sentences=f"{evaluation.rows:,}",
        data_source=markdown.escaped(source),
        figures=_table(
            ("", "this model", "bar"),
            (
                (each.name, each.value, each.bar)
                for each in report_content.quality(evaluation, settings.gate.min_accuracy)
            ),
        ),
        calibration=_calibration(evaluation),
        slices=_slices(evaluation),
        behaviour=_behaviour(evaluation),
        weakest=_weakest(evaluation),
        override=markdown.escaped(evaluation.overridden) if evaluation.overridden else "",
        making=_making(trained, exported, data),
    )
    return re.sub(r"\n{3,}", "\n\n", made.content)


def _front_matter(
    evaluation: Evaluation,
    trained: TrainingReport,
    exported: ExportReport,
    source: str,
) -> ModelCardData:
    metrics = {"accuracy": evaluation.accuracy, "f1": evaluation.f1}
    if evaluation.calibration:
        metrics |= {
            "expected_calibration_error": evaluation.calibration.after.ece,
            "brier_score": evaluation.calibration.after.brier,
        }
    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Sentiment analysis",
            dataset_type=source,
            dataset_name=source,
            dataset_split="validation",
            metric_type=name,
            metric_value=round(value, 4),
        )
        for name, value in metrics.items()
    ]
    backbone = str(trained.inputs["backbone"])
    # Of the hub is what has a commit; folders and random weights are known by a hash.
    base, at, _ = backbone.partition("@")
    return ModelCardData(
        language="en",
        library_name=exported.runtime,
        pipeline_tag="text-classification",
        tags=["sentiment-analysis", "t5"],
        base_model=base if at else None,
        datasets=None if _is_local(source) or "/" not in source else [source],
        metrics=list(metrics),
        model_name=f"t5-sentiment-{exported.model_version}",
        eval_results=results,
    )


def _is_local(source: str) -> bool:
    return re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", source) is None or Path(source).exists()


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table of our own words and numbers, in which nothing needs to be escaped."""
    lines = [tuple(head), *(tuple(map(str, row)) for row in rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _calibration(evaluation: Evaluation) -> str:
    found = evaluation.calibration
    if found is None:
        return ""
    return (
        f"{found.after.ece:.3f}, and was {found.before.ece:.3f} before the temperature of "
        f"{found.temperature:.2f}, by which the served logits are divided"
    )


def _slices(evaluation: Evaluation) -> str:
    rows = [
        (each.name, each.description, f"{each.rows:,}", percent(each.accuracy or 0),
         report_content.interval(each.interval))
        for each in evaluation.slices
        if each.interval
    ]  # fmt: skip
    head = ("slice", "what it is", "sentences", "accuracy", "95 % interval")
    return _table(head, rows) if rows else ""


def _behaviour(evaluation: Evaluation) -> str:
    rows = [
        (name, len(tests), f"{sum(test.cases for test in tests):,}",
         percent(report_content.pass_rate(tests)))
        for name, tests in report_content.by_capability(evaluation).items()
    ]  # fmt: skip
    return _table(("what is tested", "tests", "cases", "passed"), rows) if rows else ""


def _weakest(evaluation: Evaluation) -> str:
    """The slices and tests at which it does worst, in a sentence each."""
    told = ""
    known = [each for each in evaluation.slices if each.rows >= FEWEST_ROWS]
    if known:
        worst = min(known, key=lambda each: each.accuracy or 0)
        share = percent(worst.accuracy or 0)
        told += f"Of the kinds above it does worst on {worst.name} ({share}). "
    failing = [test for test in evaluation.behaviour if test.failed]
    failing = sorted(failing, key=lambda test: test.pass_rate)[:3]
    if failing:
        named = ", ".join(f"{each.name} ({percent(each.pass_rate)})" for each in failing)
        told += f"The tests it passes least often: {named}. "
    return told


def _making(trained: TrainingReport, exported: ExportReport, data: DataReport) -> str:
    settings = trained.inputs["training"]
    precision = exported.precisions[-1].name if exported.precisions else "fp32"
    gate = "with REINFORCE, to keep few tokens" if settings.get("reinforce") else "with the rest"
    rows = [
        ("fingerprint", f"`{trained.fingerprint}`"),
        ("hash of the data", f"`{data.data_hash}`"),
        ("sentences", ", ".join(f"{split.rows:,} {name}" for name, split in data.splits.items())),
        ("backbone", markdown.escaped(trained.inputs["backbone"])),
        ("parameters", f"{exported.parameters:,}"),
        ("gate", f"trained {gate}"),
        ("epochs", settings["epochs"]),
        ("batch", f"{settings['batch_size']} sentences"),
        ("peak learning rate", f"{settings['learning_rate']:g}"),
        ("ships as", f"{exported.runtime}, {precision}"),
        ("packages", ", ".join(f"{name} {at}" for name, at in trained.package_versions.items())),
    ]  # fmt: skip
    return _table(("", ""), rows)
