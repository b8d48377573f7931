"""Judge any labelled file as the validation split is judged: same figures, same rules, same report.

    python -m pipeline_steps.evaluate_file --profile sst2 --input my.csv

Reads .csv, .tsv, .jsonl or .parquet with the columns `sentence` and `label` (0 or NEGATIVE, 1 or
POSITIVE), of any size: the rows are read twice and never held. Leaves an `evaluation.json`, a
`report.html` and, a line a row, `predictions.csv` in `build/<profile>/judged/<name>-<hash>/`, where
the hash is of the rows. Its sentences are as they came, for programs: a spreadsheet would take
one that begins with = for a formula. Behaviour tests, size and time are those of the candidate, as
`evaluate` has measured them.
"""

import csv
import dataclasses
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from model.data import LABELS, Example, problem_of_sentence
from model.slices import known_words
from pipeline_steps import candidate, gate, golden, report_content, report_page, step
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.clients import Clients
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import ConfigurationError, DataCheckError, TrainingFailedError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.files import write_atomically
from pipeline_steps.model_artefacts import DataReport, ExportReport
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome
from pipeline_steps.tally import Tally
from pipeline_steps.text_source import TextSource

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
FOLDER = "judged"
PREDICTIONS = "predictions.csv"
NUMBERS = {"0": 0, "1": 1, LABELS[0]: 0, LABELS[1]: 1}


def rows_of(path: Path) -> Iterator[Example]:
    """The labelled sentences of a file, one at a time.

    Raises:
        DataCheckError: it cannot be read, or a row is no labelled sentence; names the row.
    """
    if path.suffix not in SUFFIXES:
        raise DataCheckError(f"{path}: expected one of {', '.join(SUFFIXES)}.")
    # The file is read column by column, side by side: of neither more than a row is held.
    advice = "Expected the columns 'sentence' and 'label'."
    columns = (TextSource.open(path, name, advice).texts() for name in ("sentence", "label"))
    for number, (sentence, label) in enumerate(zip(*columns, strict=True), start=1):
        problem = problem_of_sentence(sentence)
        if problem:
            raise DataCheckError(f"{path}: row {number}: {problem}. Nothing was judged.")
        known = NUMBERS.get(str(label).strip().upper())
        if known is None:
            raise DataCheckError(
                f"{path}: the label of row {number} is {label!r}, expected 0 or {LABELS[0]}, or 1 "
                f"or {LABELS[1]}. Nothing was judged."
            )
        yield Example(sentence[: golden.MAX_CHARACTERS], known)


def run(settings: Settings, path: Path) -> Outcome:
    """Judge the candidate of the work folder on `path`.

    Raises:
        ConfigurationError: there is no evaluated candidate.
        DataCheckError: the file cannot be used.
        TrainingFailedError: the candidate is damaged, or does not answer.
    """
    content = report_content.gather(settings)
    model = settings.work_dir / "candidate"
    exported = ExportReport.load(settings.work_dir)
    if exported.candidate_hash != content.evaluation.candidate_hash:
        raise ConfigurationError(
            f"{settings.work_dir / Evaluation.FILE} judges another model than was exported since. "
            "Run `python -m pipeline_steps.evaluate` with the same flags first."
        )
    candidate.refuse_changed(model, exported)
    counts, digest = _looked_at(path)
    for missing in (label for number, label in enumerate(LABELS) if not counts[number]):
        print(f"  no row is {missing}: what the model does on such rows stays unknown")
    # By their rows: two files of one name are told apart, and the same one has its folder again.
    folder = settings.work_dir / FOLDER / f"{path.stem}-{digest[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally(_known(settings, content.data), candidate.temperature_of(model))
    try:
        with ServingProcess(model) as server:
            write_atomically(
                folder / PREDICTIONS,
                lambda part: _answer(server, path, counts.total(), tally, part),
            )
            figures = tally.figures()
            figures["mistakes"] = candidate.explained(server, figures["mistakes"])
    except ServingError as error:
        raise TrainingFailedError(f"The candidate does not answer. {error}") from error
    judged = _judged(content.evaluation, settings, figures, digest)
    judged.save(folder)
    page = report_page.render(
        dataclasses.replace(content, evaluation=judged, data=None, file=path.name)
    )
    write_atomically(folder / "report.html", lambda part: part.write_text(page, encoding="utf-8"))
    return Outcome("done", _detail(judged, folder))


def _looked_at(path: Path) -> tuple[Counter[int], str]:
    """How many rows have which label, and a hash of them all; every row is proven usable."""
    counts: Counter[int] = Counter()
    digest = hashlib.sha256()
    for row in rows_of(path):
        counts[row.label] += 1
        digest.update(f"{row.label}{row.sentence}\0".encode())
    if not counts:
        raise DataCheckError(f"{path} has no rows, expected at least one.")
    return counts, digest.hexdigest()


def _known(settings: Settings, checked: DataReport | None) -> set[str] | None:
    """The words that the candidate's training holds often; None where its rows are not here.

    Args:
        settings: of the profile.
        checked: the data that the candidate was evaluated on; None where other data was checked
            since, and then nothing is read, nor asked for.
    """
    try:
        if checked is None:
            raise DataCheckError(f"{DataReport.FILE} is of other data than the model's.")
        model = dataclasses.replace(settings.model, data=checked.source)
        splits = read_checked_data(dataclasses.replace(settings, model=model))
    except DataCheckError as error:
        print(f"  which words are rare is not known, and their slice is left out: {error}")
        return None
    return known_words(row.sentence for row in splits.train)


def _answer(server: ServingProcess, path: Path, total: int, tally: Tally, part: Path) -> None:
    """Ask about each row, count the answer, and write it to `part`."""
    with (
        part.open("w", encoding="utf-8", newline="") as file,
        ProgressReporter("judging") as reporter,
    ):
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("label", "answered", "score", "sentence"))
        source = rows_of(path)
        while rows := list(islice(source, golden.TEXTS_PER_REQUEST)):
            texts = [row.sentence for row in rows]
            for row, said in zip(rows, golden.ask(server, texts), strict=True):
                tally.add(row, said)
                score = f"{said['score']:.6f}"
                lines.writerow((LABELS[row.label], said["label"], score, row.sentence))
            reporter.update(tally.rows, total)


def _judged(
    known: Evaluation, settings: Settings, figures: dict[str, Any], digest: str
) -> Evaluation:
    """What is known of the candidate itself, with the figures of these rows."""
    of_rows = dataclasses.replace(
        known,
        **figures,
        data_hash=digest,
        golden=[],
        fp32_accuracy=None,  # it was measured on the validation split, as was the champion
        champion=None,
        rationales=None,
    )
    return gate.judged(of_rows, settings)


def _detail(judged: Evaluation, folder: Path) -> str:
    low, high = judged.accuracy_interval
    told = (
        f"accuracy {judged.accuracy:.3f} (95 % interval {low:.3f} to {high:.3f}) on "
        f"{judged.rows:,} rows; {folder}"
    )
    for verdict in ("fail", "warn"):
        names = [rule.name for rule in judged.rules if rule.verdict == verdict]
        told += f"; {verdict}: {', '.join(names)}" if names else ""
    return told


def main(arguments: list[str] | None = None) -> int:
    """Judge one file from the command line and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.evaluate_file")
    parser.add_argument("--input", type=Path, required=True, help="the labelled file")
    parsed = parser.parse_args(arguments)

    def judge(settings: Settings, clients: Clients) -> Outcome:
        return run(settings, parsed.input)

    return step.exit_code_of(lambda: step.run_locked(judge, parsed), "evaluate_file")


if __name__ == "__main__":
    sys.exit(main())
