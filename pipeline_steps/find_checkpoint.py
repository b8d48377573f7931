"""Say whether the model of these settings is trained already, and fetch it where it is.

    python -m pipeline_steps.find_checkpoint --profile sst2

Reads `data.json`; fills `checkpoint/` from the bucket where it is not there yet. Gives a GitHub job
the outputs `reused` (true or false) and `model_version`. Without a bucket it looks here only.
"""

import sys

from pipeline_steps import checkpoint_store, github, step
from pipeline_steps.aws import Clients
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome
from pipeline_steps.training_plan import plan


def run(settings: Settings, clients: Clients) -> Outcome:
    """Look for the checkpoint that `train` would make.

    Raises:
        ConfigurationError: the backbone or the tokenizer cannot be loaded.
        DataCheckError: the data is not what `check_data` saw.
        TrainingFailedError: AWS refused a call, or what lies in the bucket is damaged.
    """
    planned = plan(settings)
    found = checkpoint_store.find(settings, clients, planned.fingerprint)
    github.set_output("reused", "true" if found else "false")
    github.set_output("model_version", planned.model_version)
    if found:
        return Outcome("reused", found.summary)
    bucket = settings.deploy.bucket
    where = f"or in s3://{bucket}" if bucket else "and no bucket is set (MODEL_BUCKET) to look in"
    return Outcome("done", f"model {planned.model_version} is not here, {where}: train it")


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
