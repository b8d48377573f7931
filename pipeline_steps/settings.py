"""Settings: one profile of `pipeline.toml`, overridden by the environment, then by flags.

A field's group is its table in the file (`[sst2.gate] min_accuracy`) and its name is its flag
(`--min-accuracy`). Fields with `env` in their metadata are also read from that variable, which is
how a runner or a secret store hands them over.
"""

import argparse
import dataclasses
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from model.settings import TrainingSettings
from pipeline_steps.errors import ConfigurationError

PROFILE_FILE = Path(__file__).parents[1] / "pipeline.toml"

Level = Literal["block", "warn"]
Environment = Literal["staging", "production"]


def setting(default: Any, text: str, env: str | None = None) -> Any:
    """A dataclass field with its help text (with unit) and, if any, its environment variable."""
    return dataclasses.field(default=default, metadata={"help": text, "env": env})


def _require_range(group: Any, name: str, low: float, high: float) -> None:
    value = getattr(group, name)
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, expected {low} to {high}")


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
class GateSettings:
    """What a model must reach before anything is deployed."""

    min_accuracy: float = setting(0.90, "accuracy on the validation split, 0 to 1")

    def __post_init__(self) -> None:
        _require_range(self, "min_accuracy", 0, 1)


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
    lambda_role_arn: str = setting("", "role the function runs as", env="LAMBDA_ROLE_ARN")
    image: str = setting(
        "763104351884.dkr.ecr.{region}.amazonaws.com/huggingface-pytorch-inference:"
        "2.6.0-transformers5.5.3-cpu-py312-ubuntu22.04",
        "inference container image; {region} is filled in",
    )
    mode: Literal["serverless", "realtime"] = setting(
        "serverless", "realtime: instances that run all the time, for accounts without serverless"
    )
    memory_mb: int = setting(2048, "serverless: memory in MB, 1024 to 6144 in steps of 1024")
    max_concurrency: int = setting(5, "serverless: parallel requests to the endpoint, 1 to 200")
    instance_type: str = setting("ml.c6i.large", "realtime: kind of instance")
    min_capacity: int = setting(0, "kept warm at least: provisioned concurrency, or instances")
    max_capacity: int = setting(0, "kept warm at most, by load; 0: nothing is kept warm")
    target_utilization: float = setting(
        0.7, "serverless: share of the warm capacity in use to scale towards"
    )
    target_invocations: int = setting(
        600, "realtime: requests a minute and instance to scale towards"
    )
    keep_releases: int = setting(5, "releases kept to roll back to, 1 to 50")
    endpoint_timeout: int = setting(900, "seconds to wait for the endpoint to be in service")
    role_timeout: int = setting(60, "seconds to wait for a role just made to be usable")
    poll_seconds: float = setting(5.0, "seconds between two looks at what is in progress")
    smoke_timeout: int = setting(120, "seconds for the live API to answer at all")

    def __post_init__(self) -> None:
        _require_range(self, "max_concurrency", 1, 200)
        _require_range(self, "memory_mb", 1024, 6144)
        _require_range(self, "keep_releases", 1, 50)
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
    training_instance: str = setting("ml.g5.xlarge", "instance of a SageMaker training job")

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


@dataclass(frozen=True)
class Settings:
    """One profile with everything overridden that was asked for."""

    profile: str
    build_dir: Path
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    checks: CheckSettings = dataclasses.field(default_factory=CheckSettings)
    gate: GateSettings = dataclasses.field(default_factory=GateSettings)
    deploy: DeploySettings = dataclasses.field(default_factory=DeploySettings)
    watch: WatchSettings = dataclasses.field(default_factory=WatchSettings)
    cost: CostSettings = dataclasses.field(default_factory=CostSettings)
    mail: MailSettings = dataclasses.field(default_factory=MailSettings)

    @property
    def work_dir(self) -> Path:
        """The folder that the steps of this profile share: `build/<profile>/`."""
        return self.build_dir / self.profile

    @property
    def environment_dir(self) -> Path:
        """Where the files about one environment lie: `build/<profile>/production/`."""
        return self.work_dir / self.deploy.environment

    @property
    def resource_name(self) -> str:
        """The name of this environment's endpoint, function and API; production's is plain."""
        name, environment = self.deploy.name, self.deploy.environment
        return name if environment == "production" else f"{name}-{environment}"

    @property
    def tags(self) -> dict[str, str]:
        """What every resource of this environment is tagged with; teardown finds it by these."""
        return {
            "project": "t5-sentiment",
            "name": self.deploy.name,
            "environment": self.deploy.environment,
        }

    def in_environment(self, environment: Environment) -> "Settings":
        """The same settings for another environment."""
        deploy = dataclasses.replace(self.deploy, environment=environment)
        return dataclasses.replace(self, deploy=deploy)

    def require(self, group: str, name: str) -> str:
        """A text setting that must not be empty.

        Raises:
            ConfigurationError: it is empty; the message says where it can be set.
        """
        value: str = getattr(getattr(self, group), name)
        if value:
            return value
        field = _fields(GROUPS[group])[name]
        env = f", the environment variable {field.metadata['env']}" if field.metadata["env"] else ""
        raise ConfigurationError(
            f"{name} ({field.metadata['help']}) is not set. Set it with {_flag(name)}{env}, or "
            f"{name} in [{self.profile}.{group}] of {PROFILE_FILE.name}."
        )


GROUPS: dict[str, Any] = {
    "model": ModelSettings,
    "training": TrainingSettings,
    "checks": CheckSettings,
    "gate": GateSettings,
    "deploy": DeploySettings,
    "watch": WatchSettings,
    "cost": CostSettings,
    "mail": MailSettings,
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--profile`, `--build-dir` and a flag for every field of every group."""
    parser.add_argument("--profile", default="demo", help="table of pipeline.toml (default: demo)")
    parser.add_argument("--build-dir", type=Path, default=Path("build"), help="default: build")
    for group, cls in GROUPS.items():
        flags = parser.add_argument_group(f"[{group}]")
        for field, kind in _typed_fields(cls):
            flags.add_argument(
                _flag(field.name),
                dest=field.name,
                metavar=_metavar(kind),
                # argparse would read a % in a help text as its own
                help=field.metadata["help"].replace("%", "%%") + f" ({field.default!r})",
            )


def from_flags(arguments: argparse.Namespace) -> Settings:
    """The settings that `arguments` (of a parser with `add_flags`) ask for."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    return load(arguments.profile, arguments.build_dir, given)


def load(
    profile: str,
    build_dir: Path = Path("build"),
    overrides: Mapping[str, Any] | None = None,
    file: Path = PROFILE_FILE,
) -> Settings:
    """Read `profile` from `file`, then the environment, then `overrides` by field name.

    Raises:
        ConfigurationError: unknown profile, table or key, or a value of the wrong kind.
    """
    tables = _read_profile(file, profile)
    groups: dict[str, Any] = {}
    for group, cls in GROUPS.items():
        values = tables.pop(group, {})
        _refuse_unknown(values, _fields(cls), f"[{profile}.{group}] of {file.name}")
        for field, kind in _typed_fields(cls):
            where = f"{field.name} in [{profile}.{group}] of {file.name}"
            env = field.metadata.get("env")
            if env and os.environ.get(env):
                values[field.name], where = os.environ[env], f"the environment variable {env}"
            if overrides and field.name in overrides:
                values[field.name], where = overrides[field.name], _flag(field.name)
            if field.name in values:
                values[field.name] = _parse(values[field.name], kind, where)
        try:
            groups[group] = cls(**values)
        except ValueError as error:
            raise ConfigurationError(f"[{profile}.{group}]: {error}") from error
    _refuse_unknown(tables, GROUPS, f"[{profile}] of {file.name}")
    return Settings(profile=profile, build_dir=build_dir, **groups)


def _read_profile(file: Path, profile: str) -> dict[str, dict[str, Any]]:
    try:
        profiles = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: cannot be read ({error}).") from error
    _refuse_unknown([profile], profiles, f"{file.name}: --profile")
    for name, table in profiles[profile].items():
        if not isinstance(table, dict):
            raise ConfigurationError(
                f"{name} stands in [{profile}] of {file.name}, expected it in a table of its "
                f"group, such as [{profile}.gate]. Groups: {', '.join(GROUPS)}."
            )
    return {group: dict(table) for group, table in profiles[profile].items()}


def _refuse_unknown(names: Any, known: Any, where: str) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigurationError(
                f"{where}: unknown name {name!r}.{hint} Known: {', '.join(sorted(known))}."
            )


def _fields(cls: Any) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(cls)}


def _typed_fields(cls: Any) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    kinds = get_type_hints(cls)
    return ((field, kinds[field.name]) for field in dataclasses.fields(cls))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _metavar(kind: Any) -> str:
    return "|".join(get_args(kind)) if get_origin(kind) is Literal else _kind_name(kind).upper()


def _kind_name(kind: Any) -> str:
    return str(kind) if isinstance(kind, UnionType) else str(kind.__name__)


def _parse(value: Any, kind: Any, where: str) -> Any:
    """`value` from TOML, a flag or a variable as a `kind`, or a ConfigurationError."""
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        raise ConfigurationError(
            f"{where}: {value!r} is not one of {', '.join(map(repr, get_args(kind)))}."
        )
    if kind is bool and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind in (int, float) and isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return kind(value)
        except ValueError:
            pass
    elif type(value) is kind:
        return value
    wanted = "true or false" if kind is bool else f"a value of type {kind.__name__}"
    raise ConfigurationError(f"{where}: {value!r} is not {wanted}.")
