"""What a SageMaker training job works on: data, code and settings, all from the bucket.

    s3://<bucket>/<name>/training/data/<hash>/train.jsonl, validation.jsonl
                                  source/<hash>/sourcedir.tar.gz
                                  backbone/<hash>/…      where it is a local folder

Everything lies under its hash and is written once: the next job uploads what has changed.
"""

import dataclasses
import importlib.metadata
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.data import SPLITS
from pipeline_steps.files import file_hash, hash_of
from pipeline_steps.model_bucket import ModelBucket
from pipeline_steps.settings import PROFILE_FILE, Settings
from pipeline_steps.tarball import write_tarball
from pipeline_steps.training_plan import TRAIN_TOKENIZER, TrainingPlan

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "pipeline_steps")
TARBALL = "sourcedir.tar.gz"
PROGRAM = "train.py"
PROGRAM_TEXT = """
import sys

from pipeline_steps.training_entry import main

sys.exit(main())
"""
# What AWS's image lacks, and what must be the same there and here: with its transformers 5.3 our
# configuration is not read at all (see model/modeling.py). The image's own torch stays.
REQUIREMENTS = ("dacite", "rich", "transformers", "tokenizers", "safetensors")
FOLDER_FILES = ("config.json", "*.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class JobInputs:
    """Where the job's channels lie, by name, and its hyperparameters: the flags of its program."""

    channels: dict[str, str]
    hyperparameters: dict[str, str]


def upload(settings: Settings, bucket: ModelBucket, planned: TrainingPlan) -> JobInputs:
    """Upload what is not there yet of all that the job needs."""
    prefix = f"{settings.deploy.name}/training"
    channels: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix=".job-", dir=settings.work_dir) as name:
        folder = Path(name)
        _write_data(planned, folder)
        channels["data"] = _upload(bucket, f"{prefix}/data", sorted(folder.glob("*.jsonl")))
        source = _upload(bucket, f"{prefix}/source", [_write_source(folder)])
    for channel, path in _folders(settings).items():
        files = [file for pattern in FOLDER_FILES for file in sorted(path.glob(pattern))]
        channels[channel] = _upload(bucket, f"{prefix}/{channel}", files)
    flags = {
        "profile": settings.profile,
        **_model_flags(settings, planned),
        **dataclasses.asdict(settings.training),
    }
    hyperparameters = {
        # What SageMaker's training toolkit runs in the container, with the rest as its flags:
        # https://github.com/aws/sagemaker-training-toolkit
        "sagemaker_program": PROGRAM,
        "sagemaker_submit_directory": f"{source}{TARBALL}",
        **_torchrun(settings),
        **{key.replace("_", "-"): str(value) for key, value in flags.items()},
    }
    return JobInputs(channels, hyperparameters)


def _torchrun(settings: Settings) -> dict[str, str]:
    """What lets AWS's PyTorch container start torchrun, with a process for each GPU.

    https://github.com/aws/sagemaker-pytorch-training-toolkit
    """
    if settings.compute.instance_count == 1 and not settings.compute.distributed:
        return {}
    return {
        "sagemaker_torch_distributed_enabled": "true",
        "sagemaker_instance_type": settings.compute.training_instance,
    }


def _model_flags(settings: Settings, planned: TrainingPlan) -> dict[str, Any]:
    flags = {**dataclasses.asdict(settings.model), "backbone": planned.inputs["backbone"]}
    if settings.model.backbone.startswith("random:"):
        flags["backbone"] = settings.model.backbone
    # The folders are channels, whose places in the container the program knows.
    return {key: value for key, value in flags.items() if key not in ("data", *_folders(settings))}


def _folders(settings: Settings) -> dict[str, Path]:
    """The backbone and the tokenizer, as far as they are local folders."""
    named = {"backbone": settings.model.backbone, "tokenizer": settings.model.tokenizer}
    folders = {key: Path(text).expanduser() for key, text in named.items() if text}
    return {
        key: path
        for key, path in folders.items()
        if path.is_dir() and named[key] != TRAIN_TOKENIZER
    }


def _write_data(planned: TrainingPlan, folder: Path) -> None:
    for split in SPLITS:
        rows = [dataclasses.asdict(example) for example in getattr(planned.splits, split)]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")


def _write_source(folder: Path) -> Path:
    """Pack the code; gives the tarball."""
    code = folder / "code"
    for package in PACKAGES:
        (code / package).mkdir(parents=True)
        for path in (ROOT / package).glob("*.py"):
            shutil.copy(path, code / package)
    shutil.copy(PROFILE_FILE, code)
    (code / PROGRAM).write_text(PROGRAM_TEXT, encoding="utf-8")
    pins = [f"{name}=={importlib.metadata.version(name)}\n" for name in REQUIREMENTS]
    (code / "requirements.txt").write_text("".join(pins), encoding="utf-8")
    write_tarball(code, folder / TARBALL)
    return folder / TARBALL


def _upload(bucket: ModelBucket, prefix: str, files: list[Path]) -> str:
    """Upload files under their common hash; gives the URL that theirs begin with."""
    key = f"{prefix}/{hash_of({file.name: file_hash(file) for file in files})[:16]}/"
    for file in files:
        bucket.upload_once(key + file.name, file)
    return bucket.url(key)
