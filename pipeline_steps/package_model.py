"""Pack the evaluated candidate into `model.tar.gz`, and prove that the tarball is that model.

    python -m pipeline_steps.package_model --profile sst2

Reads `candidate/` and `evaluation.json`, writes `model.tar.gz` (the same candidate gives the same
bytes) and `manifest.json`, which says which data, commit, settings and packages made it.
"""

import dataclasses
import hashlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline_steps import gate, github, golden, model_card, step
from pipeline_steps.aws import Clients
from pipeline_steps.errors import PackagingError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.files import file_hash, file_hashes, write_atomically
from pipeline_steps.model_artefacts import DataReport, ExportReport, Manifest, TrainingReport
from pipeline_steps.serving_process import ServingError, ServingProcess
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome
from pipeline_steps.tarball import extract_tarball, write_tarball

TARBALL = "model.tar.gz"


@dataclass(frozen=True)
class Packed:
    """What goes into the tarball: the candidate, and the card that tells what it is."""

    trained: TrainingReport
    exported: ExportReport
    evaluation: Evaluation
    card: bytes

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of each file of the tarball, by its name there."""
        return self.exported.files | {model_card.FILE: hashlib.sha256(self.card).hexdigest()}


def run(settings: Settings, clients: Clients) -> Outcome:
    """Make `model.tar.gz` and `manifest.json`, or find that they are already made.

    Raises:
        GateNotMetError: the candidate was evaluated, and a rule failed.
        PackagingError: the candidate is not the evaluated one, the disk is full, or the unpacked
            tarball gives other answers than those that were evaluated.
    """
    exported = ExportReport.load(settings.work_dir)
    evaluation = Evaluation.load(settings.work_dir)
    if evaluation.candidate_hash != exported.candidate_hash:
        raise PackagingError(
            "The candidate is not the one that was evaluated. "
            "Run `python -m pipeline_steps.evaluate` with the same flags first."
        )
    gate.refuse_failed(evaluation, settings)
    trained = TrainingReport.load(settings.work_dir / "checkpoint")
    text = model_card.card(settings, evaluation, trained, exported)
    packed = Packed(trained, exported, evaluation, text.encode())
    tarball = settings.work_dir / TARBALL
    made = Manifest.find(settings.work_dir)
    if made and tarball.is_file() and made == _manifest(settings, packed, tarball):
        return Outcome("reused", _detail(made))
    try:
        write_atomically(tarball, lambda path: _write_proven(settings, packed, path))
        manifest = _manifest(settings, packed, tarball)
        manifest.save(settings.work_dir)
    except OSError as error:
        raise PackagingError(
            f"{tarball}: cannot be made ({error}). Free some space and check the folder's "
            "permissions, or pass another --build-dir, then run this again. The tarball of before, "
            "if any, is untouched."
        ) from error
    return Outcome("done", _detail(manifest))


def _write_proven(settings: Settings, packed: Packed, path: Path) -> None:
    evaluation = packed.evaluation
    write_tarball(settings.work_dir / "candidate", path, {model_card.FILE: packed.card})
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=path.parent) as name:
        folder = Path(name)
        extract_tarball(path, folder)
        if file_hashes(folder) != packed.files:
            raise PackagingError(
                "candidate/ is not what export wrote. "
                "Run `python -m pipeline_steps.export` and evaluate again."
            )
        try:
            with ServingProcess(folder) as server:
                texts = [answer.text for answer in evaluation.golden]
                answers = list(golden.predict(server, texts))
        except ServingError as error:
            raise PackagingError(f"The unpacked tarball does not serve. {error}") from error
    difference = golden.disagreement(evaluation, answers)
    if difference:
        raise PackagingError(f"The unpacked tarball answers otherwise: {difference}.")


def _manifest(settings: Settings, packed: Packed, tarball: Path) -> Manifest:
    trained, exported, evaluation = packed.trained, packed.exported, packed.evaluation
    return Manifest(
        model_version=exported.model_version,
        fingerprint=trained.fingerprint,
        trained_at=trained.git,
        exported_at=exported.git,
        data_hash=evaluation.data_hash,
        data_source=DataReport.load(settings.work_dir).source,
        settings={
            "model": dataclasses.asdict(settings.model),
            "training": trained.inputs["training"],
            "gate": dataclasses.asdict(settings.gate),
        },
        metrics=evaluation.metrics,
        package_versions=trained.package_versions,
        trained_in=trained.trained_in,
        exported_with=exported.package_versions,
        files=packed.files,
        tarball_sha256=file_hash(tarball),
        tarball_bytes=tarball.stat().st_size,
        runtime=exported.runtime,
        override=evaluation.overridden,
    )


def _detail(manifest: Manifest) -> str:
    github.set_output("tarball_sha256", manifest.tarball_sha256)
    size = manifest.tarball_bytes / 1e6
    return f"{TARBALL} {size:.1f} MB, sha256 {manifest.tarball_sha256[:12]}…, golden answers equal"


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
