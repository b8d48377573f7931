"""A job's program under AWS's own container code: `sagemaker-training` and its PyTorch starter.

They are what runs in the training image; here without the image, in this environment's packages.
Docker, the image's own versions, S3 and more than one host are left to a real job.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps import settings as settings_module
from pipeline_steps import training_source
from pipeline_steps.aws import Clients
from pipeline_steps.check_data import run as check_data
from pipeline_steps.model_artefacts import TrainingReport
from pipeline_steps.training_plan import plan

pytest.importorskip(
    "sagemaker_pytorch_container",
    reason="needs AWS's container code: pip install -r requirements-container.txt (a C compiler)",
)
START = "from sagemaker_training.cli.train import main; main()"
QUICK = {"vocab_size": 600, "epochs": 1, "max_steps": 4, "evaluations_per_epoch": 1}


class Folder:
    """A folder in the place of the bucket."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def upload_once(self, key: str, path: Path) -> None:
        (self._root / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, self._root / key)

    def url(self, key: str) -> str:
        return str(self._root / key) + "/" * key.endswith("/")


def write_job(base: Path, inputs: training_source.JobInputs, **more: Any) -> None:
    """Lay out /opt/ml as SageMaker does."""
    for name, folder in inputs.channels.items():
        shutil.copytree(folder, base / "input" / "data" / name)
    for folder in ("model", "output/data", "output/intermediate", "code"):
        (base / folder).mkdir(parents=True)
    channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
    host = {"current_host": "localhost", "hosts": ["localhost"], "network_interface_name": "lo"}
    config = {
        "hyperparameters": {**inputs.hyperparameters, **more},
        "inputdataconfig": dict.fromkeys(inputs.channels, channel),
        "resourceconfig": {**host, "current_instance_type": "ml.c5.xlarge"},
    }
    (base / "input" / "config").mkdir()
    for name, content in config.items():
        path = base / "input" / "config" / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("processes", [1, 2])
def test_aws_container_starts_our_program(tmp_path: Path, processes: int) -> None:
    # GIVEN what `train --compute sagemaker` uploads for a job
    wanted = {**QUICK, "distributed": str(processes > 1).lower()}
    settings = settings_module.load("demo", tmp_path / "build", wanted)
    check_data(settings, Clients())
    planned = plan(settings)
    inputs = training_source.upload(settings, Folder(tmp_path / "bucket"), planned)  # type: ignore[arg-type]
    base = tmp_path / "ml"
    # A process for each GPU is what AWS starts; without any, this parameter of theirs says how many
    write_job(base, inputs, sagemaker_mpi_num_of_processes_per_host=str(processes))
    # WHEN AWS's starter runs it, with nothing of this checkout in reach
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        [sys.executable, "-c", START],
        cwd=base,
        env={
            "PATH": os.pathsep.join(folders),
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "SAGEMAKER_BASE_DIR": str(base),
            "SAGEMAKER_TRAINING_MODULE": "sagemaker_pytorch_container.training:main",
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    # THEN the model that was planned lies where SageMaker takes it from
    assert done.returncode == 0, done.stdout + done.stderr
    made = TrainingReport.load(base / "model")
    assert made.fingerprint == planned.fingerprint
    assert made.result["processes"] == processes
    assert ("Invoking TorchDistributed" in done.stdout + done.stderr) == (processes > 1)
    assert set(made.files) <= {path.name for path in (base / "model").iterdir()}
