"""The groups of settings: each a table of a profile, each field a key there and a flag.

Fields with `env` in their metadata are also read from that variable, which is how a runner or a
secret store hands them over.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["block", "warn"]
Severity = Literal["fail", "warn", "off"]
Environment = Literal["staging", "production"]


def setting(default: Any, text: str, env: str | None = None, *, of_one_run: bool = False) -> Any:
    """A dataclass field with its help text (with unit) and, if any, its environment variable.

    One that is `of_one_run` must not stand in a profile, where it would hold for ever.
    """
    metadata = {"help": text, "env": env, "of_one_run": of_one_run}
    return dataclasses.field(default=default, metadata=metadata)


def _require_range(group: Any, name: str, low: float, high: float) -> None:
    value = getattr(group, name)
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, expected {low} to {high}")


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


@dataclass(frozen=True)
class ModelSettings:
    """What is trained, on what."""

    data: str = setting("stanfordnlp/sst2", "hub data set, local folder, or 'demo' (bundled)")
    backbone: str = setting("t5-small", "hub model, local folder, 'random:tiny', 'random:t5-small'")
    tokenizer: str = setting(
        "", "hub tokenizer or local folder; 'train': a new one; '': backbone's"
    )
    vocab_size: int = setting(4000, "pieces of a newly trained tokenizer, at most")


@dataclass(frozen=True)
class ComputeSettings:
    """Where the model is trained: on the machine that runs the step, or on one of SageMaker's."""

    compute: Literal["local", "sagemaker"] = setting(
        "local", "train on this machine, or in a SageMaker training job"
    )
    track: bool = setting(False, "record the run in MLflow; always so with MLFLOW_TRACKING_URI")
    training_instance: str = setting("ml.g5.xlarge", "sagemaker: kind of instance of the job")
    instance_count: int = setting(1, "sagemaker: instances that share the work, 1 to 100")
    distributed: bool = setting(
        False, "sagemaker: share the work among all GPUs of the job; always so with more instances"
    )
    training_image: str = setting(
        "763104351884.dkr.ecr.{region}.amazonaws.com/huggingface-pytorch-training:"
        "2.9.0-transformers5.3.0-gpu-py312-cu130-ubuntu22.04",
        "sagemaker: container image of the job; {region} is filled in",
    )
    training_role_arn: str = setting("", "sagemaker: role the job runs as", env="TRAINING_ROLE_ARN")
    training_timeout: int = setting(4 * 3600, "sagemaker: seconds that a job may train")
    start_timeout: int = setting(1800, "sagemaker: seconds that a job may wait for its instance")
    spot: bool = setting(False, "sagemaker: spot instances, cheaper and at times taken away")

    def __post_init__(self) -> None:
        _require_range(self, "instance_count", 1, 100)
        _require_range(self, "training_timeout", 1, 28 * 24 * 3600)
        _require_range(self, "start_timeout", 1, 28 * 24 * 3600)


@dataclass(frozen=True)
class CheckSettings:
    """What the data check blocks on, and what it only warns about."""

    bad_rows: Level = setting("block", "rows without text, or with a label outside {0, 1}")
    duplicates: Level = setting("warn", "sentences that appear more than once in a split")
    conflicts: Level = setting("warn", "the same sentence with both labels")
    leakage: Level = setting("warn", "validation sentences that also stand in training")
    imbalance: Level = setting("warn", "a class with less than min_class_share of a split")
    min_class_share: float = setting(0.3, "share of the rarer class, 0 to 0.5")

    def __post_init__(self) -> None:
        _require_range(self, "min_class_share", 0, 0.5)


@dataclass(frozen=True)
class ExportSettings:
    """What ships: how the model is computed, and in which precision."""

    runtime: Literal["onnx", "pytorch"] = setting(
        "onnx", "onnx: int8, in our own small image; pytorch: in AWS's Hugging Face image"
    )
    max_points_lost: float = setting(
        0.3, "onnx: hundredths of accuracy that int8 may lose; a finer precision ships otherwise"
    )

    def __post_init__(self) -> None:
        _require_range(self, "max_points_lost", 0, 100)


@dataclass(frozen=True)
class GateSettings:
    """What a model must reach before anything is deployed; docs/evaluation.md has each rule.

    A rule that is not met fails the run, only warns, or is off; the accuracy always fails it.
    """

    min_accuracy: float = setting(0.90, "accuracy on the validation split, 0 to 1")
    lower_bound: Severity = setting("warn", "the 95 % interval of the accuracy reaches below it")
    champion: Severity = setting(
        "fail", "worse than the approved model by more than max_points_below, and not by chance"
    )
    max_points_below: float = setting(0.5, "hundredths of accuracy that it may be worse, 0 to 100")
    slices: Severity = setting("warn", "a kind of sentence is below min_slice_accuracy")
    min_slice_accuracy: float = setting(0.70, "accuracy on each kind of sentence, 0 to 1")
    behaviour: Severity = setting("warn", "fewer behaviour tests than min_behaviour are passed")
    min_behaviour: float = setting(0.80, "share of a capability's test cases to pass, 0 to 1")
    reliability: Severity = setting("warn", "scores are off by more than max_ece or max_brier")
    max_ece: float = setting(0.05, "expected calibration error, 0 to 1")
    max_brier: float = setting(0.15, "Brier's score, 0 to 1")
    quantization: Severity = setting("fail", "the precision costs more than max_points_lost")
    footprint: Severity = setting("warn", "max_megabytes or max_milliseconds is exceeded")
    max_megabytes: float = setting(250.0, "megabytes of the candidate's files")
    max_milliseconds: float = setting(
        100.0, "ms to answer one sentence, median, where it is judged"
    )
    rationales: bool = setting(False, "also measure whether the gate's values are reasons")
    override: str = setting(
        "", "why a model that fails a rule goes on; recorded, and mailed", of_one_run=True
    )

    def __post_init__(self) -> None:
        for name in ("min_accuracy", "min_slice_accuracy", "min_behaviour", "max_ece", "max_brier"):
            _require_range(self, name, 0, 1)
        _require_range(self, "max_points_below", 0, 100)
        for name in ("max_megabytes", "max_milliseconds"):
            _require_range(self, name, 0, 1e6)
        if self.override and not self.override.strip():
            raise ValueError("override is blank, expected the reason why the model goes on")


@dataclass(frozen=True)
class DeploySettings:
    """Where the model goes and how large the endpoint may grow."""

    name: str = setting("t5-sentiment", "endpoint, function and API are named after it")
    environment: Environment = setting("production", "which endpoint and API a step works on")
    approval: Literal["staging", "evaluation", "manual"] = setting(
        "staging",
        "what approves a model for production: its smoke test in staging, or less, or you",
    )
    bucket: str = setting("", "S3 bucket for models", env="MODEL_BUCKET")
    sagemaker_role_arn: str = setting("", "role the endpoint runs as", env="SAGEMAKER_ROLE_ARN")
    lambda_role_arn: str = setting(
        "", "role the function runs as; {environment} is filled in", env="LAMBDA_ROLE_ARN"
    )
    image: str = setting(
        "", "inference container image; {region} is filled in; '': what the runtime needs"
    )
    image_repository: str = setting(
        "", "ECR repository of our own image, which runtime onnx needs", env="IMAGE_REPOSITORY"
    )
    mode: Literal["serverless", "realtime"] = setting(
        "serverless", "realtime: instances that run all the time, for accounts without serverless"
    )
    memory_mb: int = setting(2048, "serverless: memory in MB, 1024 to 6144 in steps of 1024")
    max_concurrency: int = setting(5, "serverless: parallel requests to the endpoint, 1 to 200")
    instance_type: str = setting("ml.c6i.large", "realtime: kind of instance")
    min_capacity: int = setting(
        0, "kept warm at least, and never less than 1 where anything is: concurrency, or instances"
    )
    max_capacity: int = setting(0, "kept warm at most, by load; 0: nothing is kept warm")
    target_utilization: float = setting(
        0.7, "serverless: share of the warm capacity in use to scale towards"
    )
    target_invocations: int = setting(
        600, "realtime: requests a minute and instance to scale towards"
    )
    keep_releases: int = setting(5, "releases kept, the live one among them, 2 to 50")
    tarball_sha256: str = setting(
        "", "SHA-256 that model.tar.gz must have; '': what is packed here", env="TARBALL_SHA256"
    )
    endpoint_timeout: int = setting(900, "seconds to wait for the endpoint to be in service")
    role_timeout: int = setting(60, "seconds to wait for a role just made to be usable")
    poll_seconds: float = setting(5.0, "seconds between two looks at what is in progress")
    smoke_timeout: int = setting(120, "seconds for the live API to answer at all")

    def __post_init__(self) -> None:
        _require_range(self, "max_concurrency", 1, 200)
        _require_range(self, "memory_mb", 1024, 6144)
        _require_range(self, "keep_releases", 2, 50)
        _require_range(self, "target_utilization", 0.1, 0.9)
        if self.memory_mb % 1024:
            raise ValueError(f"memory_mb is {self.memory_mb}, expected a multiple of 1024")
        most = self.max_concurrency if self.mode == "serverless" else 100
        for name in ("min_capacity", "max_capacity"):
            _require_range(self, name, 0, most)
        if self.min_capacity > self.max_capacity:
            raise ValueError(
                f"min_capacity is {self.min_capacity}, expected at most max_capacity, "
                f"which is {self.max_capacity}"
            )


@dataclass(frozen=True)
class ApiSettings:
    """Who may use the public API, and how much."""

    throttle_rate: float = setting(50.0, "requests a second that the API takes in the long run")
    throttle_burst: int = setting(100, "requests that it takes at once")
    cors_origins: str = setting("", "web origins that may call it, by commas: https://example.com")
    authorizer: Literal["none", "iam", "jwt"] = setting(
        "none", "who may ask the model: anybody, AWS identities, or holders of a token"
    )
    jwt_issuer: str = setting("", "jwt: URL of whoever issues the tokens")
    jwt_audience: str = setting("", "jwt: audiences of which a token must name one, by commas")
    report_url: str = setting("", "where a model's report is; {model_version} is filled in")
    report_page: str = setting(
        "", "page of the run that releases, which has the report", of_one_run=True
    )
    log_texts: bool = setting(False, "debugging: the beginnings of texts are logged, too")

    def __post_init__(self) -> None:
        _require_range(self, "throttle_rate", 1, 10_000)  # AWS's quotas for an account
        _require_range(self, "throttle_burst", 1, 5_000)
        for origin in self.origins:
            if not re.fullmatch(r"https?://[\w.:-]+", origin):
                raise ValueError(
                    f"cors_origins names {origin!r}, expected origins such as https://example.com"
                )
        if self.authorizer == "jwt" and not (self.jwt_issuer and self.audiences):
            raise ValueError("authorizer is 'jwt', which needs jwt_issuer and jwt_audience")
        for name in ("report_url", "report_page"):
            url = getattr(self, name)
            if not re.match(r"https?://|$", url):
                raise ValueError(f"{name} is {url!r}, expected http:// or https://")

    @property
    def origins(self) -> list[str]:
        """The web origins, one by one."""
        return _listed(self.cors_origins)

    @property
    def audiences(self) -> list[str]:
        """The audiences, one by one."""
        return _listed(self.jwt_audience)


@dataclass(frozen=True)
class WatchSettings:
    """When to alarm, and what the monitor calls drift."""

    alarm_topic_arn: str = setting("", "SNS topic that alarms are sent to", env="ALARM_TOPIC_ARN")
    max_p95_ms: int = setting(5000, "alarm: 95th percentile of the API's answer time, in ms")
    quiet_hours: int = setting(0, "alarm: hours without any request, 1 to 24; 0: no such alarm")
    monitor_hours: int = setting(24, "hours of live traffic that the monitor looks at")
    monitor_requests: int = setting(200, "requests below which the monitor does not judge")
    drift_psi: float = setting(0.25, "population stability index from which it is called drift")

    def __post_init__(self) -> None:
        _require_range(self, "max_p95_ms", 1, 30_000)
        _require_range(self, "quiet_hours", 0, 24)
        _require_range(self, "monitor_hours", 1, 24 * 14)
        _require_range(self, "monitor_requests", 1, 10_000)
        _require_range(self, "drift_psi", 0.01, 10)


@dataclass(frozen=True)
class CostSettings:
    """The traffic that the cost estimate assumes."""

    requests_per_month: int = setting(100_000, "requests to the API in a month")

    def __post_init__(self) -> None:
        _require_range(self, "requests_per_month", 0, 10**12)


@dataclass(frozen=True)
class MailSettings:
    """Who hears of it, and through which server; no recipients, no mail."""

    mail_to: str = setting("", "recipients, separated by commas", env="MAIL_TO")
    mail_from: str = setting("", "sender's address", env="MAIL_FROM")
    mail_transport: Literal["smtp", "ses"] = setting("smtp", "how mail is sent")
    mail_on_success: bool = setting(True, "mail on success too, not only on failure")
    smtp_host: str = setting("", "SMTP server", env="SMTP_HOST")
    smtp_port: int = setting(587, "SMTP port", env="SMTP_PORT")
    smtp_tls: bool = setting(True, "encrypt with STARTTLS before anything is sent")
