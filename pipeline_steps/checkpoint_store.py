"""Checkpoints by their fingerprint: in the work folder, and in the bucket for other machines.

    s3://<bucket>/<name>/training/checkpoints/<fingerprint>/training.json
                                              <fingerprint>/<sha256, 16 digits>/model.safetensors …

`training.json` is written last and names every file with its hash: what it stands beside is whole.
"""

from pathlib import Path, PurePosixPath

from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.files import file_hash, file_hashes, write_folder_atomically
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.model_bucket import ModelBucket
from pipeline_steps.settings import Settings

CHECKPOINT = "checkpoint"


def find(settings: Settings, clients: Clients, fingerprint: str) -> TrainingReport | None:
    """The checkpoint of `fingerprint`: the one in the work folder, or fetched into it.

    Without a bucket it is looked for in the work folder only.

    Raises:
        TrainingFailedError: AWS refused a call, or what lies in the bucket is damaged.
    """
    made = _find_here(settings.work_dir / CHECKPOINT, fingerprint)
    if made or not settings.deploy.bucket:
        return made
    with aws_errors(TrainingFailedError, "Looking for the trained model in the bucket"):
        bucket = ModelBucket(settings, clients)
        with bucket.refusals(TrainingFailedError):
            return _fetch(settings, bucket, fingerprint)


def keep(settings: Settings, clients: Clients, made: TrainingReport) -> None:
    """Keep the checkpoint of the work folder in the bucket, if there is one and it is not there.

    Raises:
        TrainingFailedError: AWS refused a call.
    """
    if not settings.deploy.bucket:
        return
    folder, prefix = settings.work_dir / CHECKPOINT, prefix_of(settings, made.fingerprint)
    with aws_errors(TrainingFailedError, "Keeping the trained model in the bucket"):
        bucket = ModelBucket(settings, clients)
        with bucket.refusals(TrainingFailedError):
            if bucket.has(f"{prefix}/{made.FILE}"):
                return
            for name, digest in made.files.items():
                bucket.upload_once(f"{prefix}/{_key(name, digest)}", folder / name)
            bucket.write_once(f"{prefix}/{made.FILE}", made.text().encode())


def prefix_of(settings: Settings, fingerprint: str) -> str:
    """Where in the bucket the checkpoint of `fingerprint` is kept."""
    return f"{settings.deploy.name}/training/checkpoints/{fingerprint}"


def _key(name: str, digest: str) -> str:
    # Two machines may give one fingerprint other weights: their files must not mix.
    return f"{digest[:16]}/{name}"


def _find_here(folder: Path, fingerprint: str) -> TrainingReport | None:
    made = TrainingReport.find(folder)
    if made is None or made.fingerprint != fingerprint:
        return None
    damaged = damaged_files(folder, made)
    if damaged:
        print(f"  {folder} is damaged ({', '.join(damaged)}): it is not used")
    return None if damaged else made


def damaged_files(folder: Path, made: TrainingReport) -> list[str]:
    """Those files of a checkpoint that are not there, or not what they were."""
    hashes = file_hashes(folder)
    return [name for name, digest in made.files.items() if hashes.get(name) != digest]


def _fetch(settings: Settings, bucket: ModelBucket, fingerprint: str) -> TrainingReport | None:
    prefix = prefix_of(settings, fingerprint)
    text = bucket.read(f"{prefix}/{TrainingReport.FILE}")
    if text is None:
        return None
    try:
        made = TrainingReport.parse(text, strict=False)
    except ValueError as error:
        raise _damaged(bucket, prefix, f"{TrainingReport.FILE} is not readable: {error}") from error
    if made.fingerprint != fingerprint:
        raise _damaged(bucket, prefix, f"{TrainingReport.FILE} is of {made.fingerprint}")

    def fill(folder: Path) -> None:
        for name, digest in made.files.items():
            if PurePosixPath(name).name != name:  # it must not lead out of the folder
                raise _damaged(bucket, prefix, f"{name!r} is no name of a file")
            there = bucket.download(f"{prefix}/{_key(name, digest)}", folder / name)
            if not there or file_hash(folder / name) != digest:
                raise _damaged(bucket, prefix, f"{name} is {'another file' if there else 'gone'}")
        made.save(folder)

    write_folder_atomically(settings.work_dir / CHECKPOINT, fill)
    return made


def _damaged(bucket: ModelBucket, prefix: str, problem: str) -> TrainingFailedError:
    return TrainingFailedError(
        f"The checkpoint at {bucket.url(prefix)}/ is damaged ({problem}). Find out who changed it, "
        "delete what is there, and run the same command again: the model is trained anew."
    )
