"""Go back to an earlier release: endpoint and function together, proven by its golden answers.

    python -m pipeline_steps.rollback --profile sst2 --reason "wrong on short reviews"
    python -m pipeline_steps.rollback --profile sst2 --to 0123456789ab

Works from any machine: the history in S3 says where to go. In production, the release that is
withdrawn is rejected in the Model Registry, so that no later run ships it again by itself.
"""

import sys
from dataclasses import replace

from pipeline_steps import api_auth, http_api, live_test, registry, releases, step
from pipeline_steps.aws import Clients, aws_errors, find
from pipeline_steps.errors import ConfigurationError, DeployError, SmokeTestError
from pipeline_steps.release_artefacts import ReleaseRecord
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome

PREVIOUS = "previous"


def run(settings: Settings, clients: Clients, to: str = PREVIOUS, reason: str = "") -> Outcome:
    """Bring endpoint and function to the release `to` of the history.

    Args:
        settings: which environment.
        clients: of AWS.
        to: "previous", a model version, or the name of an EndpointConfig.
        reason: why, for those who read the Model Registry.

    Raises:
        ConfigurationError: the history knows no such release, or the API wants a token.
        DeployError: AWS refused a call, or the endpoint did not take the configuration.
        SmokeTestError: it serves, but does not give its golden answers.
    """
    auth = api_auth.auth_for(settings)
    with aws_errors(DeployError, f"Rolling back {settings.resource_name!r}"):
        records = releases.history(settings, clients)
        identity = releases.serving(settings, clients)
        if to == PREVIOUS and records and _is_done(records[0], identity):
            # The one who asks again saw the first time die, and means the same release.
            return Outcome("reused", _done_before(records))
        target = _choose(settings, records, identity, to)
        evaluation = releases.evaluation_of(clients, target)
        api = http_api.find_api(settings, clients.apigateway)
        if api is None:
            raise DeployError(f"There is no API {settings.resource_name!r} to test it through.")
        _require_kept(settings, clients, target)
        # Where a killed rollback has come as far as the endpoint, it was the newest of the history.
        replaced = identity or records[0].identity
        if replaced.startswith(f"{target.endpoint_config_name}@"):
            replaced = records[0].identity
        releases.go_back(settings, clients, target)
    try:
        url, timeout = api["ApiEndpoint"], settings.deploy.smoke_timeout
        report = live_test.hold_to(url, target.model_version, evaluation, timeout, auth)
    except SmokeTestError as error:
        raise SmokeTestError(
            f"{target.model_version} serves again, but fails its test: {error} "
            "Go further back with --to."
        ) from error
    with aws_errors(DeployError, "The release serves again, but its record is unfinished"):
        if settings.deploy.environment == "production" and not _undoes(records[0], target):
            _reject(settings, clients, target, replaced, reason)
        _record(settings, clients, target, replaced)
        note = _note(settings, clients, target)
    detail = f"{settings.resource_name} serves {target.model_version} of {target.released_at} again"
    return Outcome("done", f"{detail}, {report.golden_answers} golden answers equal.{note}")


def _is_done(newest: ReleaseRecord, identity: str | None) -> bool:
    return newest.reason == "rollback" and newest.identity == identity


def _done_before(records: list[ReleaseRecord]) -> str:
    newest = records[0]
    return (
        f"{newest.endpoint_name} was rolled back to {newest.model_version} at "
        f"{newest.released_at}. To go further back, name a release with --to. {_known(records)}"
    )


def _choose(
    settings: Settings, records: list[ReleaseRecord], identity: str | None, to: str
) -> ReleaseRecord:
    if to == PREVIOUS:
        target = releases.previous(records, identity)
        if target:
            return target
        raise ConfigurationError(
            f"{settings.resource_name} has no release before the one that serves. {_known(records)}"
        )
    for known in records:
        if to in (known.model_version, known.endpoint_config_name):
            return known
    raise ConfigurationError(
        f"--to: {to!r} is no release of {settings.resource_name}. {_known(records)}"
    )


def _known(records: list[ReleaseRecord]) -> str:
    first_of = {known.identity: known for known in reversed(records)}
    lines = [
        f"  {known.released_at}  {known.model_version}  {known.endpoint_config_name}"
        for known in first_of.values()
    ]
    return "\n".join(["Its releases:", *lines]) if lines else "It has no release at all."


def _require_kept(settings: Settings, clients: Clients, target: ReleaseRecord) -> None:
    name, version = target.endpoint_config_name, target.function_version
    config = find(clients.sagemaker.describe_endpoint_config, EndpointConfigName=name)
    function = find(
        clients.lambda_.get_function_configuration,
        FunctionName=settings.resource_name,
        Qualifier=version,
    )
    if config is None or function is None:
        raise ConfigurationError(
            f"{name!r} with version {version} of the function is no longer kept: only the last "
            f"{settings.deploy.keep_releases} releases are (keep_releases). Ship its commit again: "
            f"{target.git.get('commit')}"
        )


def _undoes(newest: ReleaseRecord, target: ReleaseRecord) -> bool:
    """Whether going to `target` takes back the rollback that `newest` is."""
    gone = (newest.replaced or "").partition("@")[0]
    return newest.reason == "rollback" and gone == target.endpoint_config_name


def _reject(
    settings: Settings, clients: Clients, target: ReleaseRecord, replaced: str, reason: str
) -> None:
    """Keep the model of the release `replaced` from being shipped again."""
    config = replaced.partition("@")[0]
    package = registry.package_of(settings, clients.sagemaker, config)
    # A release of the same model, with another function or another memory, condemns no model.
    if package and package["ModelPackageArn"] != target.model_package_arn:
        why = f"Rolled back to {target.model_version}: {reason or 'no reason was given'}."
        registry.reject(clients.sagemaker, package["ModelPackageArn"], why)


def _record(settings: Settings, clients: Clients, target: ReleaseRecord, replaced: str) -> None:
    now = releases.now()
    again = replace(target, released_at=now, reason="rollback", replaced=replaced)
    releases.record(settings, clients, again)


def _note(settings: Settings, clients: Clients, target: ReleaseRecord) -> str:
    arn = target.model_package_arn
    found = find(clients.sagemaker.describe_model_package, ModelPackageName=arn)
    if found is None or found["ModelApprovalStatus"] != registry.REJECTED:
        return ""
    return (
        " Its model is still rejected in the Model Registry, and no run will ship it again before "
        f"somebody says: {registry.command_to_approve(arn)}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Roll back as the flags say, and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.rollback")
    parser.add_argument(
        "--to", default=PREVIOUS, help="'previous', a model version, or an EndpointConfig's name"
    )
    parser.add_argument("--reason", default="", help="why, for the Model Registry")
    parsed = parser.parse_args(arguments)

    def rollback(settings: Settings, clients: Clients) -> Outcome:
        return run(settings, clients, parsed.to, parsed.reason)

    return step.exit_code_of(lambda: step.run_locked(rollback, parsed), "rollback")


if __name__ == "__main__":
    sys.exit(main())
