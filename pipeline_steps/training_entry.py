"""What a SageMaker training job runs: train on its channels, leave `checkpoint/` as its model.

SageMaker's training toolkit starts it with the job's hyperparameters as flags, which are the
flags of every step. https://github.com/aws/sagemaker-training-toolkit
"""

import argparse
import os
from pathlib import Path

from pipeline_steps import checkpoint_store, step
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.checked_data import read_data
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.files import copy_files
from pipeline_steps.local_training import (
    dismiss_helpers,
    help_first,
    is_helper,
    train_here,
    writing_errors,
)
from pipeline_steps.training_plan import plan_for

CHANNELS = ("data", "backbone", "tokenizer")


def main(arguments: list[str] | None = None) -> int:
    """Train as the flags say, and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "train.py")
    parsed = parser.parse_args(arguments)
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    return step.exit_code_of(lambda: _train(parsed, base))


def _train(arguments: argparse.Namespace, base: Path) -> None:
    for name in CHANNELS:
        channel = base / "input" / "data" / name
        if channel.is_dir():
            setattr(arguments, name, str(channel))
    # With spot instances this folder is kept, and a job that was interrupted goes on from it:
    # https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
    arguments.build_dir = base / "checkpoints"
    settings = settings_module.from_flags(arguments)
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    planned = plan_for(settings, read_data(settings))
    if is_helper():
        help_first(settings, planned)
        return
    made = checkpoint_store.find(settings, Clients(), planned.fingerprint)
    if made:
        dismiss_helpers()
    made = made or train_here(settings, planned)
    with writing_errors(base / "model"):
        copy_files(settings.work_dir / CHECKPOINT, base / "model")
    print(f"done: {made.summary}", flush=True)
