"""Settings: one profile of `pipeline.toml`, overridden by the environment, then by flags.

A field's group is its table in the file (`[sst2.gate] min_accuracy`), its name is its flag
(`--min-accuracy`) and its environment variable (`T5_MIN_ACCURACY`). The groups are in
`setting_groups.py`, training's in `model/settings.py`.
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
from pipeline_steps import github
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.setting_groups import (
    ApiSettings,
    CheckSettings,
    ComputeSettings,
    CostSettings,
    DeploySettings,
    Environment,
    ExportSettings,
    GateSettings,
    MailSettings,
    ModelSettings,
    WatchSettings,
)

VARIABLE = "T5_"  # and a setting's name in capitals: how a workflow hands over its inputs
PROFILE_FILE = Path(__file__).parents[1] / "pipeline.toml"


@dataclass(frozen=True)
class Settings:
    """One profile with everything overridden that was asked for."""

    profile: str
    build_dir: Path
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    compute: ComputeSettings = dataclasses.field(default_factory=ComputeSettings)
    checks: CheckSettings = dataclasses.field(default_factory=CheckSettings)
    export: ExportSettings = dataclasses.field(default_factory=ExportSettings)
    gate: GateSettings = dataclasses.field(default_factory=GateSettings)
    deploy: DeploySettings = dataclasses.field(default_factory=DeploySettings)
    api: ApiSettings = dataclasses.field(default_factory=ApiSettings)
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
            f"{name} in [{self.profile}.{group}] of {PROFILE_FILE.name}.{self._on_github(env)}"
        )

    @staticmethod
    def _on_github(env: str) -> str:
        if not env or not github.in_actions():
            return ""
        return (
            " On GitHub it is a variable (Settings, Secrets and variables, Actions); "
            "docs/github-setup.md has them all."
        )


GROUPS: dict[str, Any] = {
    "model": ModelSettings,
    "training": TrainingSettings,
    "compute": ComputeSettings,
    "checks": CheckSettings,
    "export": ExportSettings,
    "gate": GateSettings,
    "deploy": DeploySettings,
    "api": ApiSettings,
    "watch": WatchSettings,
    "cost": CostSettings,
    "mail": MailSettings,
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--profile`, `--build-dir` and a flag for every field of every group."""
    profile = os.environ.get(f"{VARIABLE}PROFILE") or "demo"
    parser.add_argument("--profile", default=profile, help="table of pipeline.toml (default: demo)")
    parser.add_argument("--build-dir", type=Path, default=Path("build"), help="default: build")
    for group, cls in GROUPS.items():
        flags = parser.add_argument_group(f"[{group}]")
        for field, kind in _typed_fields(cls):
            flags.add_argument(
                _flag(field.name),
                dest=field.name,
                metavar=_metavar(kind),
                # --reinforce alone says true
                nargs="?" if kind is bool else None,
                const="true" if kind is bool else None,
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
    _refuse_unknown_variables()
    groups = {
        group: _read_group(cls, tables.pop(group, {}), f"[{profile}.{group}]", overrides, file)
        for group, cls in GROUPS.items()
    }
    _refuse_unknown(tables, GROUPS, f"[{profile}] of {file.name}")
    return Settings(profile=profile, build_dir=build_dir, **groups)


def of_mail_alone(profile: str, build_dir: Path) -> Settings:
    """Defaults, and who is to be mailed: to tell of settings that cannot be read."""
    mail = _read_group(MailSettings, {}, f"[{profile}.mail]", None, PROFILE_FILE)
    return Settings(profile=profile, build_dir=build_dir, mail=mail)


def _read_group(
    cls: Any, values: dict[str, Any], table: str, overrides: Mapping[str, Any] | None, file: Path
) -> Any:
    """One group of settings: `values` of the file, then the environment, then `overrides`."""
    _refuse_unknown(values, _fields(cls), f"{table} of {file.name}")
    for field, kind in _typed_fields(cls):
        where = f"{field.name} in {table} of {file.name}"
        if field.name in values and field.metadata.get("of_one_run"):
            raise ConfigurationError(f"{where}: it is for one run. Pass {_flag(field.name)} to it.")
        for env in (field.metadata.get("env"), VARIABLE + field.name.upper()):
            if env and os.environ.get(env):
                values[field.name], where = os.environ[env], f"the environment variable {env}"
        if overrides and field.name in overrides:
            values[field.name], where = overrides[field.name], _flag(field.name)
        if field.name in values:
            values[field.name] = _parse(values[field.name], kind, where)
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigurationError(f"{table}: {error}") from error


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


def _refuse_unknown_variables() -> None:
    known = {"PROFILE"} | {name.upper() for cls in GROUPS.values() for name in _fields(cls)}
    given = [name for name in os.environ if name.startswith(VARIABLE) and os.environ[name]]
    _refuse_unknown(given, {VARIABLE + name for name in known}, "an environment variable")


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
