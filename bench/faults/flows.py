"""The flows whose calls are broken: all that the release path does to AWS, from several starts."""

import dataclasses
import os
from collections.abc import Callable

from bench.faults.injection import FAULTS, Injector
from bench.faults.matrix import ABANDONED, Flow, Start, version_at
from bench.faults.world import SHIP, Site, World
from pipeline_steps.errors import SmokeTestError
from pipeline_steps.evaluation_artefacts import Evaluation, GoldenAnswer
from pipeline_steps.release_artefacts import RunReport

LARGE = 9_000_000  # bytes: boto3 uploads it in two parts
PARTS = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
TESTED, PROTECTING = ("smoke_test",), ("create_api",)
PROTECTION = {  # settings of an API whose every part is set
    "throttle_rate": 5.0, "cors_origins": "https://example.com", "authorizer": "jwt",
    "jwt_issuer": "https://issuer.example.com", "jwt_audience": "t5",
}  # fmt: skip
FLOWS = {  # by name: the steps whose calls are broken
    "update": SHIP,
    "first release": SHIP,
    "bad release": TESTED,
    "protection": PROTECTING,
    "rollback": ("rollback",),
    "staging": TESTED,
    "large model": ("deploy_endpoint",),
    "mail": ("notify",),
    "monitor": ("monitor",),
    "teardown": ("teardown",),
}
Prepare = Callable[[World], Start]


def flows(world: World, production: Site) -> dict[str, Flow]:
    """All flows by name; `production` is the site that clients ask all the while."""
    staging = world.site()
    every = [
        Flow("update", SHIP, _update(production), faults=(*FAULTS, ABANDONED)),
        Flow("first release", SHIP, _first, throwaway=True),
        Flow("bad release", SHIP, _bad(production), faulted=TESTED, ends_in=SmokeTestError),
        Flow("protection", PROTECTING, _protect, throwaway=True),
        Flow("rollback", ("rollback",), _rollback(production)),
        Flow("staging", SHIP, _staging(staging), faulted=TESTED),
        Flow("large model", SHIP, _large, ("deploy_endpoint",), PARTS, throwaway=True),
        Flow("mail", ("notify",), _as_it_is(production)),
        Flow("monitor", ("monitor",), _as_it_is(production)),
        Flow("teardown", ("teardown",), _teardown, throwaway=True),
    ]
    return {flow.name: flow for flow in every}


def _first(world: World) -> Start:
    site = world.site()
    return Start(site, site.package(), site.versions[-1])


def _large(world: World) -> Start:
    site = world.site()
    return Start(site, site.package(extra=os.urandom(LARGE)), site.versions[-1])


def _update(site: Site) -> Prepare:
    def prepare(world: World) -> Start:
        world.forget(site)
        return Start(site, site.package(), site.versions[-1])

    return prepare


def _staging(site: Site) -> Prepare:
    def prepare(world: World) -> Start:
        world.forget(site)
        settings = site.package(environment="staging", approval="staging")
        return Start(site, settings, site.versions[-1])

    return prepare


def _bad(site: Site) -> Prepare:
    """A model whose answers are not those that were evaluated, on top of a good release."""

    def prepare(world: World) -> Start:
        world.forget(site)
        world.ship(site)
        settings = site.package()
        evaluation = Evaluation.load(settings.work_dir)
        golden = [GoldenAnswer("a good film", "NEGATIVE", 0.9)]
        dataclasses.replace(evaluation, golden=golden).save(settings.work_dir)
        return Start(site, settings, site.versions[-2])

    return prepare


def _protect(world: World) -> Start:
    """From one set of an API's settings to another: nothing of the first may be left."""
    site = world.site()
    world.ship(site)
    changes = PROTECTION | {"jwt_audience": "before", "cors_origins": "https://before.example.com"}
    world.run(PROTECTING, site, site.with_settings(**changes), Injector())
    return Start(site, site.with_settings(**PROTECTION), "")


def _rollback(site: Site) -> Prepare:
    """A new release on top of the one that will serve again."""

    def prepare(world: World) -> Start:
        world.forget(site)
        before = version_at(world.url(site.settings))
        settings = world.ship(site)
        # What serves again grows older with each cell; called by its part in it, it stays the same.
        site.versions.remove(before)
        site.versions.insert(-1, before)
        return Start(site, settings, before)

    return prepare


def _as_it_is(site: Site) -> Prepare:
    def prepare(world: World) -> Start:
        settings = site.settings
        RunReport(profile=settings.profile, model_version=None, steps=[]).save(settings.work_dir)
        return Start(site, settings, version_at(world.url(settings)))

    return prepare


def _teardown(world: World) -> Start:
    site = world.site()
    settings = world.ship(site)
    return Start(site, settings, "", {"confirmed": site.name, "with_artefacts": True})
