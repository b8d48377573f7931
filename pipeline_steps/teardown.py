"""Delete what the pipeline made in AWS: list it, ask, delete it, and look again.

    python -m pipeline_steps.teardown --profile sst2
    python -m pipeline_steps.teardown --profile sst2 --environment staging
    python -m pipeline_steps.teardown --profile sst2 --confirm t5-sentiment-sst2 --artefacts

Without --environment it is about staging and production. The tarballs and the history of releases
in S3 are the audit trail and stay, unless --artefacts is given; a record "teardown" ends the
history. The bucket and the roles belong to the bootstrap stack and stay in any case.
"""

import argparse
import contextlib
import sys

from botocore.exceptions import ClientError

from pipeline_steps import inventory, inventory_shared, releases, step
from pipeline_steps import settings as settings_module
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.errors import ConfigurationError, DeployError
from pipeline_steps.inventory import Resource
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

ENVIRONMENTS: tuple[Environment, ...] = ("staging", "production")
ALL = "all"
DENIED = {"AccessDenied", "AccessDeniedException"}


def run(
    settings: Settings,
    clients: Clients,
    environments: tuple[Environment, ...] = ENVIRONMENTS,
    *,
    with_artefacts: bool = False,
    confirmed: str | None = None,
) -> Outcome:
    """Delete everything of `environments`, after it was listed and confirmed.

    Args:
        settings: whose resources.
        clients: of AWS.
        environments: which of them.
        with_artefacts: the files in S3, too.
        confirmed: the name of what is torn down; None asks for it on the terminal.

    Raises:
        ConfigurationError: it was not confirmed, or no bucket is set; nothing was deleted.
        DeployError: AWS refused a call, or something is left; running it again goes on.
    """
    bucket = settings.require("deploy", "bucket")
    with aws_errors(DeployError, "Listing what is there"):
        found = _find(settings, clients, environments, with_artefacts)
    if not found:
        _close_histories(settings, clients, environments)
        return Outcome("skipped", f"nothing to tear down of {_title(settings, environments)}")
    print(_table(found))
    if not with_artefacts:
        where = f"s3://{bucket}/{settings.deploy.name}/"
        print(f"\nKept: {where}, tarballs and history (--artefacts deletes them too)")
    _require_confirmation(_name(settings, environments), confirmed)
    for number, resource in enumerate(found, start=1):
        print(f"  {number}/{len(found)} {resource.kind} {resource.name}", flush=True)
        with aws_errors(DeployError, f"Deleting the {resource.kind} {resource.name}"):
            resource.delete()
    with aws_errors(DeployError, "Looking again"):
        left = _find(settings, clients, environments, with_artefacts)
    if left:
        raise DeployError(
            f"After all deletions this is left:\n{_table(left)}\nAnother run may have made it "
            "meanwhile, or AWS takes its time. Run the same command again."
        )
    _close_histories(settings, clients, environments)
    return Outcome(
        "done", f"{len(found)} deleted, nothing is left of {_title(settings, environments)}"
    )


def _find(
    settings: Settings,
    clients: Clients,
    environments: tuple[Environment, ...],
    with_artefacts: bool,
) -> list[Resource]:
    """What to delete, in that order; what all environments share goes with the last of them."""
    found = _of(settings, clients, environments)
    shared = _shared(settings, clients, environments)
    found += shared or []
    if with_artefacts:
        name = settings.deploy.name
        prefixes = [f"{name}/releases/{environment}/" for environment in environments]
        for prefix in prefixes if shared is None else [f"{name}/"]:
            found += inventory_shared.artefacts(settings, clients, prefix)
    # What still runs may write to a log group: those go last.
    return sorted(found, key=lambda resource: resource.kind == "log group")


def _close_histories(
    settings: Settings, clients: Clients, environments: tuple[Environment, ...]
) -> None:
    """Have no later run trust, or go back to, a release that was torn down."""
    # Where the bucket is gone, the history is, too.
    gone = contextlib.suppress(clients.s3.exceptions.NoSuchBucket)
    with aws_errors(DeployError, "Noting the teardown in the history"), gone:
        for environment in environments:
            releases.close(settings.in_environment(environment), clients)


def _shared(
    settings: Settings, clients: Clients, environments: tuple[Environment, ...]
) -> list[Resource] | None:
    """The Model Registry, if the other environments have nothing; None where the shared stays."""
    others = tuple(other for other in ENVIRONMENTS if other not in environments)
    try:
        if _of(settings, clients, others):
            return None
        return inventory_shared.registry(settings, clients)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        print(
            f"The role in use may not see all of {settings.deploy.name} ({error.operation_name}): "
            "what its environments share, the Model Registry and the tarballs, stays."
        )
        return None


def _of(
    settings: Settings, clients: Clients, environments: tuple[Environment, ...]
) -> list[Resource]:
    return [
        resource
        for environment in environments
        for resource in inventory.of_environment(settings.in_environment(environment), clients)
    ]


def _name(settings: Settings, environments: tuple[Environment, ...]) -> str:
    """What has to be typed: the environment's name, or that of the whole."""
    if len(environments) > 1:
        return settings.deploy.name
    return settings.in_environment(environments[0]).resource_name


def _title(settings: Settings, environments: tuple[Environment, ...]) -> str:
    return f"{settings.deploy.name} ({' and '.join(environments)})"


def _table(resources: list[Resource]) -> str:
    head = Resource("kind", "name", "version", "created", lambda: None)
    rows = [(r.kind, r.name, r.version, r.created) for r in (head, *resources)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _require_confirmation(name: str, confirmed: str | None) -> None:
    if confirmed is None:
        if not sys.stdin.isatty():
            raise ConfigurationError(
                "Nothing was deleted: there is no terminal to ask on. To delete all of this, "
                f"pass --confirm {name}."
            )
        try:
            confirmed = input(f"\nType {name} to delete all of this: ").strip()
        except EOFError:  # Ctrl-D
            confirmed = ""
    if confirmed != name:
        raise ConfigurationError(
            f"Nothing was deleted: {confirmed!r} was given as confirmation, expected {name!r}."
        )


def _run(parsed: argparse.Namespace) -> None:
    everything = parsed.environment in (None, ALL)
    if everything:
        parsed.environment = None  # settings know single environments only
    settings = settings_module.from_flags(parsed)
    environments = ENVIRONMENTS if everything else (settings.deploy.environment,)
    with step.locked(settings.work_dir):
        outcome = run(
            settings,
            Clients(),
            environments,
            with_artefacts=parsed.artefacts,
            confirmed=parsed.confirm,
        )
    step.tell(outcome)


def main(arguments: list[str] | None = None) -> int:
    """Tear down as the flags say, and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.teardown")
    parser.add_argument(
        "--confirm", metavar="NAME", help="the name of what is torn down, instead of being asked"
    )
    parser.add_argument("--artefacts", action="store_true", help="tarballs and history in S3, too")
    return step.exit_code_of(lambda: _run(parser.parse_args(arguments)), "teardown")


if __name__ == "__main__":
    sys.exit(main())
