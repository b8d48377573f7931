"""Training jobs whose program is a few lines."""

from pathlib import Path
from typing import Any

from local_aws.server import BUCKET
from pipeline_steps.tarball import write_tarball
from tests.local_aws.conftest import Kit, wait_for

NEEDS_TWO_STARTS = """
import os, pathlib, time

mark = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "checkpoints", "mark", "file")
if not mark.exists():
    mark.parent.mkdir()
    mark.write_text("saved")
    time.sleep(60)
"""


def launch(kit: Kit, folder: Path, name: str, program: str, **changed: Any) -> None:
    """Upload data and code, and create a job of them."""
    code = folder / f"code-{name}"
    code.mkdir(parents=True)
    (code / "train.py").write_text(program, encoding="utf-8")
    write_tarball(code, folder / f"{name}.tar.gz")
    s3 = kit.client("s3")
    s3.upload_file(str(folder / f"{name}.tar.gz"), BUCKET, f"{name}/code.tar.gz")
    s3.put_object(Bucket=BUCKET, Key=f"{name}/data/rows.txt", Body=b"rows")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/data/"}
    request = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "any", "TrainingInputMode": "File"},
        "RoleArn": kit.environment["TRAINING_ROLE_ARN"],
        "HyperParameters": {
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": f"s3://{BUCKET}/{name}/code.tar.gz",
            "learning-rate": "1e-3",
            "gate": "true",
            "empty": "",
        },
        "InputDataConfig": [{"ChannelName": "data", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/jobs"},
        "ResourceConfig": {
            "InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changed,
    }  # fmt: skip
    kit.client("sagemaker").create_training_job(**request)


def job_when(kit: Kit, name: str, *statuses: str) -> dict[str, Any]:
    """The job's description once its secondary status is one of these."""
    return wait_for(
        lambda: kit.client("sagemaker").describe_training_job(TrainingJobName=name),
        lambda found: found["SecondaryStatus"] in statuses,
    )


def has_contents(listed: dict[str, Any]) -> bool:
    """Whether a prefix of the bucket holds anything."""
    return bool(listed.get("Contents"))
