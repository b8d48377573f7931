"""Check the data before anything is spent on it: is it there, whole, and clean?

    python -m pipeline_steps.check_data --profile sst2 --data path/to/folder

Reads the data set, writes `data.json`. Each check counts rows and either blocks or warns, as
`[<profile>.checks]` says.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator

from model.data import LABELS, SPLITS, Example, Splits
from model.held_out import normalise
from pipeline_steps import step
from pipeline_steps.aws import Clients
from pipeline_steps.checked_data import read_data
from pipeline_steps.errors import DataCheckError
from pipeline_steps.model_artefacts import DataReport, Finding, SplitReport
from pipeline_steps.setting_groups import CheckSettings
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

EMPTY_SPLIT = "empty_split"  # not a setting: without both classes there is nothing to learn
SHOWN = 5  # examples in a finding
HISTOGRAM = (1, 2, 4, 8, 16, 32, 64, 128)  # lower edges of the length histogram, in words


def run(settings: Settings, clients: Clients) -> Outcome:
    """Read and check the data, and write `data.json`.

    Raises:
        DataCheckError: the data cannot be read, or a check that blocks has found something.
    """
    splits = read_data(settings)
    report = DataReport(
        source=settings.model.data,
        data_hash=splits.hash(),
        splits={split: _describe(getattr(splits, split)) for split in SPLITS},
        findings=list(find_problems(splits, settings.checks)),
    )
    report.save(settings.work_dir)
    for finding in report.findings:
        print(f"  {finding.level}: {finding.message} e.g. {finding.examples[0]}")
    if report.blocking:
        raise DataCheckError(_refusal(report, settings))
    counts = ", ".join(f"{report.splits[split].rows:,} {split}" for split in SPLITS)
    return Outcome("done", f"{counts} sentences, {len(report.findings)} warnings")


def _refusal(report: DataReport, settings: Settings) -> str:
    first = report.blocking[0]
    advice = "Mend the data"
    if first.check != EMPTY_SPLIT:
        advice += f', or set {first.check} = "warn" in [{settings.profile}.checks] of pipeline.toml'
    return (
        f"{first.message} e.g. {'; '.join(first.examples)}. {advice}. "
        f"All findings: {settings.work_dir / DataReport.FILE}"
    )


def find_problems(splits: Splits, checks: CheckSettings) -> Iterator[Finding]:
    """Every finding, in the order of `CheckSettings`; an empty split always blocks."""
    for split in SPLITS:
        examples: list[Example] = getattr(splits, split)
        labels = Counter(example.label for example in examples)
        if len(labels) < len(LABELS):
            seen = ", ".join(LABELS[label] for label in labels) or "no rows at all"
            message = f"The {split} split has {seen}, expected both {' and '.join(LABELS)}."
            yield Finding(EMPTY_SPLIT, "block", len(examples), message, [split])
    bad = [f"{row.where}: {row.problem}" for row in splits.bad_rows]
    yield from _finding("bad_rows", checks.bad_rows, bad, "rows cannot be used (left out).")
    for split in SPLITS:
        yield from _split_problems(split, getattr(splits, split), checks)
    trained = {normalise(example.sentence) for example in splits.train}
    leaked = [repr(e.sentence) for e in splits.validation if normalise(e.sentence) in trained]
    yield from _finding(
        "leakage", checks.leakage, leaked, "validation sentences also stand in training."
    )


def _split_problems(
    split: str, examples: list[Example], checks: CheckSettings
) -> Iterator[Finding]:
    labels_of: dict[str, set[int]] = defaultdict(set)
    repeated = []
    for example in examples:
        labels = labels_of[normalise(example.sentence)]
        if labels:
            repeated.append(repr(example.sentence))
        labels.add(example.label)
    yield from _finding("duplicates", checks.duplicates, repeated, f"{split} sentences repeat.")
    conflicts = [repr(sentence) for sentence, labels in labels_of.items() if len(labels) > 1]
    yield from _finding(
        "conflicts", checks.conflicts, conflicts, f"{split} sentences have both labels."
    )
    share = min(Counter(example.label for example in examples).values(), default=0) / (
        len(examples) or 1
    )
    if examples and share < checks.min_class_share:
        message = (
            f"The rarer class is {share:.1%} of {split}, expected at least "
            f"{checks.min_class_share:.0%}."
        )
        yield Finding("imbalance", checks.imbalance, len(examples), message, [split])


def _finding(check: str, level: str, examples: list[str], what: str) -> Iterator[Finding]:
    if examples:
        yield Finding(check, level, len(examples), f"{len(examples):,} {what}", examples[:SHOWN])


def _describe(examples: list[Example]) -> SplitReport:
    lengths = [len(example.sentence.split()) for example in examples]
    rows = len(examples) or 1
    words = {}
    for low, high in zip(HISTOGRAM, [*HISTOGRAM[1:], sys.maxsize], strict=True):
        label = f"{low}+" if high == sys.maxsize else f"{low}-{high - 1}"
        words[label] = sum(low <= length < high for length in lengths)
    return SplitReport(
        rows=len(examples),
        positive_share=sum(example.label for example in examples) / rows,
        mean_words=sum(lengths) / rows,
        words=words,
    )


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
