"""A local AWS with production in it, and new releases for as long as somebody asks for them."""

import contextlib
import hashlib
import importlib
import io
import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import mock

from bench.faults import fake_release, inventory
from bench.faults.injection import FaultyClients, Injector, quick_retries
from local_aws import lambda_rules, sagemaker_plane, state
from local_aws.server import BUCKET, SENDER, LocalAws
from pipeline_steps import create_api
from pipeline_steps import settings as settings_module
from pipeline_steps.release_artefacts import Api
from pipeline_steps.settings import Settings

SHIP = ("deploy_endpoint", "create_api", "smoke_test", "create_alarms")
KEPT = 2  # releases, so that each further one leaves garbage behind
SEEN = KEPT + 1  # ages of releases that are compared; what is older was compared before
# The local AWS is quick: what takes AWS minutes takes it a tenth of a second.
QUICK: dict[str, Any] = {
    "approval": "evaluation", "keep_releases": KEPT, "min_capacity": 1, "max_capacity": 2,
    "poll_seconds": 0.02, "endpoint_timeout": 20, "role_timeout": 1, "smoke_timeout": 20,
    # The clients that watch are many to a second, and none of them may be throttled.
    "throttle_rate": 10_000.0, "throttle_burst": 5_000,
    "mail_to": "team@example.com", "mail_from": SENDER, "mail_transport": "ses",
}  # fmt: skip
BUSY_SECONDS = 0.02  # how long the local Lambda keeps a changed function busy


@dataclass
class Site:
    """One pipeline's name with the releases made for it, the oldest first."""

    name: str
    folder: Path
    versions: list[str] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)  # made, and given up before they served
    settings: Settings = field(init=False)  # with which the newest release was packaged

    def package(self, extra: bytes = b"", broken: bool = False, **overrides: Any) -> Settings:
        """Package one more model, with function code and memory of its own, too."""
        number = len(self.versions) + len(self.abandoned)
        digest = hashlib.sha256(f"{self.name} {number}".encode()).hexdigest()
        version = "broken000000" if broken else digest[:12]
        self.versions.append(version)
        fake_release.write_function(self.folder / "function", create_api.SOURCES, number)
        overrides = QUICK | {"name": self.name} | overrides
        self.settings = fake_release.package(self.folder, version, overrides, extra)
        return self.settings

    def with_settings(self, **overrides: Any) -> Settings:
        """Settings for the newest release, which stays as it was packaged."""
        return settings_module.load(
            "demo", self.settings.build_dir, QUICK | {"name": self.name} | overrides
        )

    def abandon(self) -> None:
        """Give the newest release up: nothing of it may be left but what lies in S3."""
        self.abandoned.append(self.versions.pop())


class World:
    """A running local AWS with quick retries; use it in a `with` statement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sites = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "World":
        with contextlib.ExitStack() as stack:
            self.aws = stack.enter_context(LocalAws(self.folder / "aws", port=0, api_port=0))
            stack.enter_context(mock.patch.dict(os.environ, self.aws.environment()))
            # Nobody restarts this local AWS: snapshots of it would only take time.
            stack.enter_context(mock.patch.object(state, "QUIET_SECONDS", 3600))
            stack.enter_context(mock.patch.object(lambda_rules, "BUSY_SECONDS", BUSY_SECONDS))
            stack.enter_context(
                mock.patch.object(sagemaker_plane, "DELETION_SECONDS", BUSY_SECONDS)
            )
            stack.enter_context(quick_retries())
            self._clients = FaultyClients()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stack.close()

    def site(self) -> Site:
        """A name under which nothing was ever shipped."""
        self._sites += 1
        name = f"site{self._sites:04}"
        return Site(name, self.folder / name)

    def run(
        self,
        steps: tuple[str, ...],
        site: Site,
        settings: Settings,
        injector: Injector,
        **arguments: Any,
    ) -> None:
        """Run steps one after the other, their calls going through `injector`."""
        self._clients.injector = injector
        sources = site.folder / "function"
        zipped = create_api.zip_function(sources) if sources.is_dir() else b""
        memory = 256 + len(site.versions) % 2
        with (
            mock.patch.object(create_api, "zip_function", lambda: zipped),
            mock.patch.object(create_api, "FUNCTION_MB", memory),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            for name in steps:
                injector.step = name
                importlib.import_module(f"pipeline_steps.{name}").run(
                    settings, self._clients, **arguments
                )

    def ship(self, site: Site, **overrides: Any) -> Settings:
        """Package and ship one more release, without any fault."""
        settings = site.package(**overrides)
        self.run(SHIP, site, settings, Injector())
        return settings

    def url(self, settings: Settings) -> str:
        """Where the API of a site answers."""
        return Api.load(settings.environment_dir).api_url

    def inventory(self, site: Site) -> Counter[str]:
        """What lies in the account for `site`, as far as a fault could have left it there."""
        found = inventory.take(self.aws.client, BUCKET, site.name, site.versions)
        old = [f"v-{age}" for age in range(SEEN, len(site.versions))]
        return Counter(
            {line: n for line, n in found.items() if not _is_history(line, old, site.abandoned)}
        )

    def is_recorded(self, site: Site) -> bool:
        """Whether the newest release got as far as the history."""
        return any(line.startswith("record of v-0") for line in self.inventory(site))

    def forget(self, site: Site) -> None:
        """Cut the history short, so that each cell begins with as long a one."""
        s3 = self.aws.client("s3")
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{site.name}/releases/")
        for key in sorted(item["Key"] for item in found.get("Contents", []))[:-KEPT]:
            s3.delete_object(Bucket=BUCKET, Key=key)

    def remove(self, site: Site) -> None:
        """Delete what runs for a site that is no longer needed."""
        sagemaker, lambda_ = self.aws.client("sagemaker"), self.aws.client("lambda")
        for endpoint in sagemaker.list_endpoints(NameContains=site.name)["Endpoints"]:
            sagemaker.delete_endpoint(EndpointName=endpoint["EndpointName"])
        for function in lambda_.list_functions()["Functions"]:
            if function["FunctionName"].startswith(site.name):
                lambda_.delete_function(FunctionName=function["FunctionName"])
        apigateway = self.aws.client("apigatewayv2")
        for api in apigateway.get_apis()["Items"]:
            if api["Name"].startswith(site.name):
                apigateway.delete_api(ApiId=api["ApiId"])
        shutil.rmtree(site.folder, ignore_errors=True)


def _is_history(line: str, old: list[str], abandoned: list[str]) -> bool:
    """Whether a line is of a release long gone, or of the trail that a given-up one leaves."""
    words = line.replace("/", " ").replace(",", " ").replace(":", " ").split()
    if any(age in words for age in old):
        return True
    trail = line.startswith(("object ", "model package "))
    return trail and any(version in words for version in abandoned)
