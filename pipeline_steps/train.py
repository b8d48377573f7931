"""Train the model, or reuse the checkpoint that the same inputs have already made.

    python -m pipeline_steps.train --profile sst2 --epochs 2
    torchrun --standalone --nproc-per-node 2 -m pipeline_steps.train --profile sst2

Reads `data.json`, writes `checkpoint/`, and keeps it in the bucket where one is set. A killed run
goes on from its last saved state. `--compute sagemaker` trains in a SageMaker training job.
"""

import sys

from pipeline_steps import checkpoint_store, local_training, step, tracking, training_job
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients
from pipeline_steps.checkpoint_store import CHECKPOINT
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome
from pipeline_steps.training_plan import plan


def run(settings: Settings, clients: Clients) -> Outcome:
    """Make `checkpoint/` from the checked data, or find that it is already made.

    Raises:
        ConfigurationError: the backbone or the tokenizer cannot be loaded, or a setting is missing.
        DataCheckError: the data is not what `check_data` saw.
        TrainingFailedError: training did not give a model, or the bucket did not take it.
    """
    tracking.require_mlflow(settings)
    planned = plan(settings)
    found = checkpoint_store.find(settings, clients, planned.fingerprint)
    if settings.compute.compute == "sagemaker":
        made = found or training_job.train_in_job(settings, clients, planned)
    else:
        made = found or local_training.train_here(settings, planned)
    checkpoint_store.keep(settings, clients, made)
    tracking.record(settings, made, settings.work_dir / CHECKPOINT)
    if found:
        local_training.dismiss_helpers()
        return Outcome("reused", made.summary)
    return Outcome("done", f"{made.summary}, {made.result['examples_per_second']:,.0f} sentences/s")


def main() -> int:
    """Run the step, or help the process that does; gives the exit code."""
    if not local_training.is_helper():
        return step.main(run, __doc__)
    arguments = step.parser_with_flags(__doc__).parse_args()

    def help_first() -> None:
        settings = settings_module.from_flags(arguments)
        local_training.help_first(settings, plan(settings))

    return step.exit_code_of(help_first, "train")


if __name__ == "__main__":
    sys.exit(main())
