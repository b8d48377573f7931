"""Test the live release through its public URL; keep it if it is good, go back if it is not.

    python -m pipeline_steps.smoke_test --profile sst2

Reads `api.json`, `release.json` and `evaluation.json`, writes `smoke.json`. A release that passes
enters the environment's history in S3, and in staging it is approved for production. One that
fails is replaced by the last one that passed: endpoint and function together.
"""

import sys

from pipeline_steps import (
    api_auth,
    endpoint,
    fingerprint,
    garbage,
    live_test,
    registry,
    releases,
    step,
)
from pipeline_steps.aws import Clients, aws_errors
from pipeline_steps.errors import SmokeTestError
from pipeline_steps.evaluation_artefacts import Evaluation
from pipeline_steps.release_artefacts import Api, Release, ReleaseRecord, SmokeReport
from pipeline_steps.settings import Settings
from pipeline_steps.step import Outcome


def run(settings: Settings, clients: Clients) -> Outcome:
    """Test the live API, write `smoke.json`, and record the release.

    Raises:
        SmokeTestError: it does not answer in time, or not what was evaluated; the message ends
            with what serves now.
    """
    folder = settings.environment_dir
    api, release = Api.load(folder), Release.load(folder)
    evaluation, auth = Evaluation.load(settings.work_dir), api_auth.auth_for(settings)
    with aws_errors(SmokeTestError, "Looking at the endpoint"):
        _refuse_other(settings, clients, release)
    try:
        report = live_test.hold_to(
            api.api_url, release.model_version, evaluation, settings.deploy.smoke_timeout, auth
        )
    except SmokeTestError as error:
        raise SmokeTestError(f"{error} {releases.undo(settings, clients)}") from error
    report.save(folder)
    with aws_errors(SmokeTestError, "The release is good and serves, but its record is unfinished"):
        _accept(settings, clients, api, release, report)
        garbage.collect(settings, clients)
    example = report.example
    return Outcome(
        "done",
        f"{report.golden_answers} golden answers equal, "
        f"{report.median_answer_seconds * 1e3:.0f} ms; "
        f"{example.text!r} is {example.label} {example.score:.2f}",
    )


def _refuse_other(settings: Settings, clients: Clients, release: Release) -> None:
    # The API's answers tell the model's version, but not which tarball and settings it runs on.
    found = endpoint.describe(settings, clients.sagemaker)
    serving = found["EndpointConfigName"] if found else None
    if serving != release.endpoint_config_name:
        raise SmokeTestError(
            f"The endpoint {release.endpoint_name!r} serves {serving!r}, expected "
            f"{release.endpoint_config_name!r}: another run has changed it since. Run "
            "deploy_endpoint again."
        )


def _accept(
    settings: Settings, clients: Clients, api: Api, release: Release, report: SmokeReport
) -> None:
    """Approve and record the release; each is done once, however often this runs."""
    if settings.deploy.environment == "staging" and settings.deploy.approval == "staging":
        why = f"{report.golden_answers} golden answers were equal in staging."
        registry.approve(clients.sagemaker, release.model_package_arn, why)
    before = releases.newest(settings, clients)
    releases.record(
        settings,
        clients,
        ReleaseRecord(
            released_at=releases.now(),
            reason="release",
            model_version=release.model_version,
            endpoint_name=release.endpoint_name,
            endpoint_config_name=release.endpoint_config_name,
            function_version=api.function_version,
            model_data_url=release.model_data_url,
            tarball_sha256=release.tarball_sha256,
            model_package_arn=release.model_package_arn,
            git=fingerprint.git_state(),
            replaced=before.identity if before else None,
        ),
    )


if __name__ == "__main__":
    sys.exit(step.main(run, __doc__))
