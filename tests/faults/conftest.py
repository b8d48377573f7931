"""One world for all tests of this folder: a local AWS, and production with a client that asks."""

from collections.abc import Iterator

import pytest

from bench.faults.flows import flows
from bench.faults.matrix import Flow, Matrix
from bench.faults.poller import Poller
from bench.faults.world import Site, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(autouse=True)
def clean_environment() -> None:
    """Instead of the one for all tests: this world's variables must outlive a test."""


@pytest.fixture(scope="module")
def production(world: World) -> Site:
    site = world.site()
    world.ship(site)
    return site


@pytest.fixture(scope="module")
def poller(world: World, production: Site) -> Iterator[Poller]:
    with Poller(world.url(production.settings)) as asking:
        yield asking


@pytest.fixture(scope="module")
def matrix(world: World, poller: Poller) -> Matrix:
    return Matrix(world, poller)


@pytest.fixture(scope="module")
def all_flows(world: World, production: Site) -> dict[str, Flow]:
    return flows(world, production)
