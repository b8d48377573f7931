"""Export what will ship, byte for byte: `candidate/`.

    python -m pipeline_steps.export --profile sst2

Reads `checkpoint/`, writes `candidate/` (weights, configuration, tokenizer, and in `code/` the
handler functions with the model's source) in the layout of SageMaker's PyTorch containers:
https://sagemaker.readthedocs.io/en/v2.232.2/frameworks/pytorch/using_pytorch.html
"""

import dataclasses
import math
import shutil
import sys
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline_steps import step
from pipeline_steps.artefacts import ExportReport, TrainingReport
from pipeline_steps.aws import Clients
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.files import file_hash, file_hashes, write_folder_atomically
from pipeline_steps.fingerprint import git_state
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

CANDIDATE = "candidate"
REPOSITORY = Path(__file__).parents[1]
MODEL_FILES = ("model.safetensors", "config.json", "tokenizer.json")
CODE_FILES = {
    "serving/inference.py": "code/inference.py",
    "serving/runtime_pytorch.py": "code/runtime_pytorch.py",
    "serving/payload.py": "code/payload.py",
    # In the container the code stands in /opt/ml/model/code; without this file `import model`
    # would find the folder /opt/ml/model instead.
    "model/__init__.py": "code/model/__init__.py",
    "model/modeling.py": "code/model/modeling.py",
}


def run(settings: Settings, clients: Clients) -> Outcome:
    """Make `candidate/` from `checkpoint/`, or find that it is already made.

    Raises:
        TrainingFailedError: the checkpoint is not the one that training wrote.
    """
    checkpoint = settings.work_dir / "checkpoint"
    candidate = settings.work_dir / CANDIDATE
    trained = TrainingReport.load(checkpoint)
    sources = {name: checkpoint / name for name in MODEL_FILES} | {
        target: REPOSITORY / source for source, target in CODE_FILES.items()
    }
    _refuse_damaged(checkpoint, trained)
    report = ExportReport(
        model_version=trained.model_version,
        runtime="pytorch",
        parameters=_count_parameters(checkpoint / "model.safetensors"),
        files={name: file_hash(path) for name, path in sorted(sources.items())},
        git=git_state(),
    )
    megabytes = sum(path.stat().st_size for path in sources.values()) / 1e6
    detail = f"{report.parameters / 1e6:.1f} M parameters, {megabytes:.1f} MB"
    made = ExportReport.find(settings.work_dir)
    # The commit may have changed without any of what ships.
    unchanged = made is not None and dataclasses.replace(made, git=report.git) == report
    if unchanged and file_hashes(candidate) == report.files:
        return Outcome("reused", detail)

    def write(folder: Path) -> None:
        for name, source in sources.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    write_folder_atomically(candidate, write)
    report.save(settings.work_dir)
    return Outcome("done", detail)


def _refuse_damaged(checkpoint: Path, trained: TrainingReport) -> None:
    for name in MODEL_FILES:
        path = checkpoint / name
        if not path.is_file() or file_hash(path) != trained.files.get(name):
            raise TrainingFailedError(
                f"{path} is not the file that training wrote (missing, cut short or changed). "
                "Run `python -m pipeline_steps.train` with the same flags: it makes it again."
            )


def _count_parameters(path: Path) -> int:
    try:
        with safe_open(path, framework="numpy") as weights:
            shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    except SafetensorError as error:
        raise TrainingFailedError(f"{path} holds no readable weights ({error}).") from error
    return sum(math.prod(shape) for shape in shapes)


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
