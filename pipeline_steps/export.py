"""Export what will ship, byte for byte: `candidate/`.

    python -m pipeline_steps.export --profile sst2
    python -m pipeline_steps.export --profile sst2 --runtime pytorch

Reads `checkpoint/`, and for ONNX the checked data too; writes `candidate/`: the model, its
configuration, its tokenizer, and in `code/` the handler functions, in the layout of SageMaker's
containers: https://sagemaker.readthedocs.io/en/v2.232.2/frameworks/pytorch/using_pytorch.html
"""

import dataclasses
import math
import shutil
import sys
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from model.data import Example
from pipeline_steps import fingerprint, other_versions, step
from pipeline_steps.checked_data import read_checked_data
from pipeline_steps.checkpoint_store import prefix_of
from pipeline_steps.clients import Clients
from pipeline_steps.errors import TrainingFailedError
from pipeline_steps.files import file_hash, file_hashes, write_folder_atomically
from pipeline_steps.model_artefacts import DataReport, ExportReport, Precision, TrainingReport
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

CANDIDATE = "candidate"
REPOSITORY = Path(__file__).parents[1]
MODEL_FILES = ("model.safetensors", "config.json", "tokenizer.json")
HANDLERS = ("serving/inference.py", "serving/payload.py")
CODE = {
    "onnx": (*HANDLERS, "serving/runtime_onnx.py"),
    # In the container the code stands in /opt/ml/model/code; without model/__init__.py
    # `import model` would find the folder /opt/ml/model instead.
    "pytorch": (
        *(*HANDLERS, "serving/runtime_pytorch.py"),
        *("model/__init__.py", "model/modeling.py"),
    ),
}
CHECKED_SENTENCES = 32  # on which PyTorch and ONNX must agree
MEASURED_SENTENCES = 1000  # of the training split, beside all of validation, to judge a precision


def run(settings: Settings, clients: Clients) -> Outcome:
    """Make `candidate/` from `checkpoint/`, or find that it is already made.

    Raises:
        DataCheckError: the data is not what `check_data` saw.
        TrainingFailedError: the checkpoint is not the one that training wrote, other versions made
            it and it does not load with these, or its ONNX model computes something else.
    """
    checkpoint, runtime = settings.work_dir / "checkpoint", settings.export.runtime
    trained = TrainingReport.load(checkpoint)
    _refuse_damaged(checkpoint, trained)
    inputs: dict[str, Any] = {}
    if runtime == "onnx":
        data_hash = DataReport.load(settings.work_dir).data_hash
        weights = trained.files["model.safetensors"]
        inputs = fingerprint.export_inputs(settings, data_hash, weights)
    copied = _copied_files(checkpoint, runtime)
    made = ExportReport.find(settings.work_dir)
    if made and _is_done(settings, made, trained, copied, inputs):
        return Outcome("reused", _detail(settings, made))
    if other_versions.are_those_of(trained):
        other_versions.require_loads(checkpoint, trained, _anew(settings, trained))
    precisions: list[Precision] = []

    def write(folder: Path) -> None:
        for name, source in copied.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        if runtime == "onnx":
            precisions.extend(_write_onnx(settings, checkpoint, folder / "model.onnx"))

    write_folder_atomically(settings.work_dir / CANDIDATE, write)
    report = ExportReport(
        model_version=trained.model_version,
        runtime=runtime,
        parameters=_count_parameters(checkpoint / "model.safetensors"),
        files=file_hashes(settings.work_dir / CANDIDATE),
        git=fingerprint.git_state(),
        package_versions=fingerprint.versions(),
        inputs=inputs,
        precisions=precisions,
    )
    report.save(settings.work_dir)
    return Outcome("done", _detail(settings, report))


def _refuse_damaged(checkpoint: Path, trained: TrainingReport) -> None:
    for name in MODEL_FILES:
        path = checkpoint / name
        if not path.is_file() or file_hash(path) != trained.files.get(name):
            raise TrainingFailedError(
                f"{path} is not the file that training wrote (missing, cut short or changed). "
                "Run `python -m pipeline_steps.train` with the same flags: it makes it again."
            )


def _anew(settings: Settings, trained: TrainingReport) -> str:
    places = str(settings.work_dir / "checkpoint")
    if settings.deploy.bucket:
        places += f" and s3://{settings.deploy.bucket}/{prefix_of(settings, trained.fingerprint)}/"
    return f"Delete {places}, then train again with these versions, or go back to those."


def _copied_files(checkpoint: Path, runtime: str) -> dict[str, Path]:
    """What goes into the candidate as it is: each path there, with its source."""
    names = MODEL_FILES if runtime == "pytorch" else MODEL_FILES[1:]
    code = {f"code/{name.removeprefix('serving/')}": REPOSITORY / name for name in CODE[runtime]}
    return {name: checkpoint / name for name in names} | code


def _is_done(
    settings: Settings,
    made: ExportReport,
    trained: TrainingReport,
    copied: dict[str, Path],
    inputs: dict[str, Any],
) -> bool:
    # The commit may have changed without any of what ships.
    same_model = (made.model_version, made.runtime, made.inputs) == (
        *(trained.model_version, settings.export.runtime),
        inputs,
    )
    same_files = all(made.files.get(name) == file_hash(path) for name, path in copied.items())
    return same_model and same_files and file_hashes(settings.work_dir / CANDIDATE) == made.files


def _write_onnx(settings: Settings, checkpoint: Path, path: Path) -> list[Precision]:
    """Write the model in the smallest precision that is accurate enough; gives all it tried."""
    # torch takes seconds to import, and a candidate that is there needs none of this.
    from tokenizers import Tokenizer  # noqa: PLC0415

    from model.onnx_export import OnnxExportError, export_onnx  # noqa: PLC0415
    from model.onnx_quantization import Sentences, choose  # noqa: PLC0415

    splits = read_checked_data(settings)
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.enable_truncation(settings.training.max_input_tokens)

    def encoded(examples: list[Example]) -> Sentences:
        encodings = tokenizer.encode_batch_fast([example.sentence for example in examples])
        return Sentences([each.ids for each in encodings], [each.label for each in examples])

    # Evenly from the whole split, the same ones each time.
    spread = splits.train[:: max(1, len(splits.train) // MEASURED_SENTENCES)]
    sets = {"training": encoded(spread), "validation": encoded(splits.validation)}
    exact = path.with_name("fp32.onnx")
    try:
        export_onnx(checkpoint, exact, sets["validation"].sequences[:CHECKED_SENTENCES])
        tried = choose(exact, path, sets, settings.export.max_points_lost)
    except OnnxExportError as error:
        raise TrainingFailedError(str(error)) from error
    finally:
        exact.unlink(missing_ok=True)
    return [Precision(**dataclasses.asdict(candidate)) for candidate in tried]


def _detail(settings: Settings, report: ExportReport) -> str:
    """A line on what ships; where a smaller precision lost too much, it says so."""
    megabytes = (
        sum((settings.work_dir / CANDIDATE / name).stat().st_size for name in report.files) / 1e6
    )
    precision = report.precisions[-1].name if report.precisions else "fp32"
    detail = (
        f"{report.runtime} {precision}, {report.parameters / 1e6:.1f} M parameters, "
        f"{megabytes:.1f} MB"
    )
    if len(report.precisions) > 2:
        exact, smallest = report.precisions[:2]
        lost = max(
            100 * (exact.accuracy[name] - smallest.accuracy[name]) for name in exact.accuracy
        )
        limit = settings.export.max_points_lost
        detail += f"; {smallest.name} lost {lost:.2f} points, more than {limit} (max_points_lost)"
    return detail


def _count_parameters(path: Path) -> int:
    try:
        with safe_open(path, framework="numpy") as weights:
            shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    except SafetensorError as error:
        raise TrainingFailedError(f"{path} holds no readable weights ({error}).") from error
    return sum(math.prod(shape) for shape in shapes)


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
