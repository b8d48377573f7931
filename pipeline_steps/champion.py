"""The model to beat, on the same rows: the newest that is approved, or the last one released.

Its answers lie beside its tarball in the bucket. If there are none, or none that can be read, or
they are to other rows, the tarball itself is asked. Where it is gone, or does not answer, the
comparison says so.
"""

import tempfile
from pathlib import Path

from model.data import Example
from pipeline_steps import golden, registry, releases
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.chance import mcnemar
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.console import ProgressReporter
from pipeline_steps.errors import PackagingError, TrainingFailedError
from pipeline_steps.evaluation_artefacts import Champion
from pipeline_steps.model_bucket import ModelBucket
from pipeline_steps.predictions import Predictions, answer, hash_of_rows, positive
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.settings import Settings
from pipeline_steps.tally import Tally
from pipeline_steps.tarball import extract_tarball


class GoneError(Exception):
    """The champion cannot be asked; the message says why."""


def compare(
    settings: Settings, clients: Clients, mine: Predictions, known: Champion | None
) -> Champion:
    """Hold the candidate's answers against the champion's.

    Args:
        settings: the profile, which names the bucket.
        clients: AWS.
        mine: the candidate's answers to the validation split.
        known: what this gave for the same candidate and rows before, if it did.

    Raises:
        TrainingFailedError: AWS refused to tell which model it is.
    """
    if not settings.deploy.bucket:
        return Champion("There is no model to compare with: MODEL_BUCKET is not set.")
    with aws_errors(TrainingFailedError, "Looking for the model to compare with"):
        url = _url(settings, clients)
        if url is None:
            return Champion("There is no model to compare with yet: none is approved or released.")
        if known and known.model_data_url == url and known.reason is None:
            return known
        return _compare(settings, ModelBucket(settings, clients), mine, url)


def _url(settings: Settings, clients: Clients) -> str | None:
    approved = registry.newest_approved(settings, clients.sagemaker)
    if approved:
        return approved
    released = releases.newest(settings.in_environment("production"), clients)
    return released.model_data_url if released else None


def _compare(settings: Settings, bucket: ModelBucket, mine: Predictions, url: str) -> Champion:
    version = url.split("/")[-3]
    rows = read_checked_data(settings).validation
    try:
        with bucket.refusals(TrainingFailedError):
            theirs = _predictions(bucket, url, mine, rows)
    except GoneError as error:
        reason = f"{version} is the model to compare with, but {error}"
        return Champion(reason, version, model_data_url=url)
    pairs = list(zip(mine.right(rows), theirs.right(rows), strict=True))
    only_mine, only_theirs = pairs.count((True, False)), pairs.count((False, True))
    tally = Tally(None, temperature=1.0)  # what it was before its own is not asked for
    for row, each in zip(rows, theirs.positive, strict=True):
        tally.add(row, answer(each))
    figures = tally.figures()
    reliability = figures["calibration"].after
    return Champion(
        model_version=version,
        model_data_url=url,
        accuracy=figures["accuracy"],
        f1=figures["f1"],
        ece=reliability.ece,
        brier=reliability.brier,
        rows=len(pairs),
        only_candidate_right=only_mine,
        only_champion_right=only_theirs,
        p_value=mcnemar(only_mine, only_theirs),
    )


def _predictions(
    bucket: ModelBucket, url: str, mine: Predictions, rows: list[Example]
) -> Predictions:
    """The champion's answers to `rows`: those that lie beside it, or asked for anew."""
    folder = url.removeprefix(bucket.url("")).rpartition("/")[0]
    kept = bucket.read(f"{folder}/{Predictions.FILE}")
    theirs = _readable(kept) if kept is not None else None
    if theirs and theirs.rows_hash == mine.rows_hash and len(theirs.positive) == len(rows):
        return theirs
    if not url.startswith(bucket.url("")):
        raise GoneError(f"its artefact {url} is not in the bucket {bucket.name}.")
    with tempfile.TemporaryDirectory(prefix="champion-") as name:
        tarball, unpacked = Path(name) / "model.tar.gz", Path(name) / "model"
        if not bucket.download(url.removeprefix(bucket.url("")), tarball):
            raise GoneError(f"its artefact {url} is gone.")
        try:
            extract_tarball(tarball, unpacked)
            answers = _ask(unpacked, [row.sentence for row in rows])
        except (PackagingError, ServingError) as error:
            raise GoneError(f"its artefact {url} does not answer: {error}") from error
    return Predictions(url.split("/")[-3], "", hash_of_rows(rows), answers)


def _readable(kept: bytes) -> Predictions | None:
    """What lies beside a tarball; None where it is not what a release of this code puts there."""
    try:
        return Predictions.parse(kept, strict=False)
    except ValueError:
        return None


def _ask(folder: Path, texts: list[str]) -> list[float]:
    answers: list[float] = []
    with ServingProcess(folder) as server, ProgressReporter("asking the champion") as reporter:
        for said in golden.ask(server, texts):
            answers.append(positive(said))
            reporter.update(len(answers), len(texts))
    return answers
