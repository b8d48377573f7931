"""Many releases and some rollbacks in a row, while several clients ask without a break."""

from dataclasses import dataclass

from bench.faults.injection import Injector
from bench.faults.matrix import version_at
from bench.faults.poller import Poller
from bench.faults.world import World


@dataclass(frozen=True)
class Soak:
    """How it went: what was done, how often clients asked, and what was wrong."""

    updates: int
    rollbacks: int
    clients: int
    requests: int
    failures: list[str]
    versions: int


def soak(world: World, updates: int, rollbacks: int, clients: int = 4) -> Soak:
    """Ship `updates` releases onto one that serves, with `rollbacks` spread among them."""
    site = world.site()
    settings = world.ship(site)
    every = max(1, updates // max(1, rollbacks))
    undone, failures = 0, []
    with Poller(world.url(settings), clients) as poller:
        for number in range(1, updates + 1):
            before = version_at(poller.url)
            settings = world.ship(site)
            poller.wait_for_request()  # each release is asked, however quickly the next one comes
            expected = site.versions[-1]
            if number % every == 0 and undone < rollbacks:
                world.run(("rollback",), site, settings, Injector())
                undone, expected = undone + 1, before
            served = version_at(poller.url)
            if served != expected:
                failures.append(f"after update {number}: {served} serves, expected {expected}")
        poller.wait_for_request()
    return Soak(
        updates, undone, clients, poller.asked, failures + poller.failures, len(poller.answers)
    )
