"""Two models side by side, on the same rows: figures, flips, time and size.

    python -m pipeline_steps.compare --a demo --b build/older/model.tar.gz --profile demo

Each is a profile (its candidate), a work folder, a candidate's folder or a `model.tar.gz`; the rows
are the validation split of --profile. Prints a table and some of the sentences that changed, and
writes all of them to `build/<profile>/comparison.json`.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from model.data import LABELS, Example
from pipeline_steps import candidate, footprint, golden, step
from pipeline_steps.artefact import Artefact
from pipeline_steps.chance import mcnemar
from pipeline_steps.checked_data import read_data
from pipeline_steps.clients import Clients
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import ConfigurationError, PackagingError
from pipeline_steps.evaluation_artefacts import Footprint
from pipeline_steps.predictions import positive
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome
from pipeline_steps.tally import Tally
from pipeline_steps.tarball import extract_tarball

SHOWN = 5  # of the flips, each way


@dataclass(frozen=True)
class Side:
    """One of the two models: where it came from, and its figures."""

    source: str
    model_version: str
    accuracy: float
    accuracy_interval: list[float]
    f1: float
    ece: float
    brier: float
    footprint: Footprint


@dataclass(frozen=True)
class Flip:
    """A sentence that the two label differently, with P(POSITIVE) of each."""

    text: str
    label: str
    a: float
    b: float


@dataclass(frozen=True)
class Comparison(Artefact):
    """Both models, and the sentences on which they differ; `p_value` is McNemar's."""

    FILE: ClassVar[str] = "comparison.json"
    STEP: ClassVar[str] = "compare"

    rows: int
    a: Side
    b: Side
    only_a_right: list[Flip]
    only_b_right: list[Flip]
    p_value: float


@contextmanager
def model_at(source: str, settings: Settings) -> Iterator[Path]:
    """The folder of the model that `source` names; a tarball is unpacked for as long.

    Raises:
        ConfigurationError: there is none.
        PackagingError: the tarball cannot be unpacked.
    """
    path = Path(source).expanduser()
    places = [settings.build_dir / source / "candidate", path / "candidate", path]
    folder = next((place for place in places if (place / "config.json").is_file()), None)
    if folder:
        yield folder
    elif path.is_file():
        with tempfile.TemporaryDirectory(prefix="compare-") as name:
            extract_tarball(path, Path(name))
            yield Path(name)
    else:
        tried = ", ".join(str(place) for place in places)
        raise ConfigurationError(
            f"{source!r} is no model. Expected a profile that was exported, a work folder, a "
            f"candidate's folder or a model.tar.gz; there is no config.json in {tried}."
        )


def run(settings: Settings, sources: tuple[str, str]) -> Outcome:
    """Ask both models about every row.

    Raises:
        ConfigurationError: one of them is no model.
        DataCheckError: the data cannot be read.
        PackagingError: one of them does not answer.
    """
    rows = read_data(settings).validation
    (one, a), (other, b) = (_judged(source, settings, rows) for source in sources)
    flips: dict[bool, list[Flip]] = {True: [], False: []}  # by whether A is right
    for row, p, q in zip(rows, a, b, strict=True):
        if (p > 0.5) != (q > 0.5):
            flips[(p > 0.5) == (row.label == 1)].append(Flip(row.sentence, LABELS[row.label], p, q))
    made = Comparison(
        rows=len(rows),
        a=one,
        b=other,
        only_a_right=flips[True],
        only_b_right=flips[False],
        p_value=mcnemar(len(flips[True]), len(flips[False])),
    )
    made.save(settings.work_dir)
    print(told(made))
    return Outcome("done", f"{settings.work_dir / Comparison.FILE}")


def _judged(source: str, settings: Settings, rows: list[Example]) -> tuple[Side, list[float]]:
    """A model's figures, and P(POSITIVE) of each row."""
    texts = [row.sentence for row in rows]
    answers: list[float] = []
    try:
        with (
            model_at(source, settings) as folder,
            ServingProcess(folder) as server,
            ProgressReporter(f"asking {source}") as reporter,
        ):
            tally = Tally(None, candidate.temperature_of(folder))
            for row, said in zip(rows, golden.ask(server, texts), strict=True):
                tally.add(row, said)
                answers.append(positive(said))
                reporter.update(len(answers), len(texts))
            version = candidate.config_of(folder).get("model_version") or "?"
            measured = footprint.of(server, folder, texts)
    except ServingError as error:
        raise PackagingError(f"The model at {source!r} does not answer. {error}") from error
    return _side(source, version, tally.figures(), measured), answers


def _side(source: str, version: str, figures: dict[str, Any], measured: Footprint) -> Side:
    after = figures["calibration"].after
    return Side(
        source=source,
        model_version=version,
        accuracy=figures["accuracy"],
        accuracy_interval=figures["accuracy_interval"],
        f1=figures["f1"],
        ece=after.ece,
        brier=after.brier,
        footprint=measured,
    )


def told(made: Comparison) -> str:
    """The comparison as a table, with the first flips each way."""
    rows = [("", "A", "B")]
    rows += [
        (name, show(made.a), show(made.b))
        for name, show in {
            "model": lambda side: side.model_version,
            "accuracy": lambda side: f"{side.accuracy:.4f}",
            "95 % interval": lambda side: "{:.4f} to {:.4f}".format(*side.accuracy_interval),
            "F1 of POSITIVE": lambda side: f"{side.f1:.4f}",
            "calibration error": lambda side: f"{side.ece:.4f}",
            "Brier score": lambda side: f"{side.brier:.4f}",
            "ms a sentence, median": lambda side: f"{side.footprint.median_milliseconds:.2f}",
            "ms a sentence, p95": lambda side: f"{side.footprint.p95_milliseconds:.2f}",
            "MB": lambda side: f"{side.footprint.megabytes:.2f}",
        }.items()
    ]
    lines = [f"{name:<24}{a:>20}{b:>20}" for name, a, b in rows]
    lines.append(
        f"{made.rows:,} sentences: only A has {len(made.only_a_right):,} right, only B "
        f"{len(made.only_b_right):,} (McNemar p = {made.p_value:.2g})"
    )
    for name, flips in (("A", made.only_a_right), ("B", made.only_b_right)):
        for flip in flips[:SHOWN]:
            said = f"P(POSITIVE) {flip.a:.2f} by A, {flip.b:.2f} by B"
            lines.append(f"  only {name} right, {flip.label}: {flip.text!r} ({said})")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Compare two models from the command line and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.compare")
    for name in ("--a", "--b"):
        parser.add_argument(name, required=True, help="profile, folder or model.tar.gz")
    parsed = parser.parse_args(arguments)

    def compare(settings: Settings, clients: Clients) -> Outcome:
        return run(settings, (parsed.a, parsed.b))

    return step.exit_code_of(lambda: step.run_locked(compare, parsed), "compare")


if __name__ == "__main__":
    sys.exit(main())
