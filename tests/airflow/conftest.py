"""One Airflow and one inbox for all tests of this folder, since both take long to start."""

import socket
from collections.abc import Iterator

import pytest

from tests.airflow.airflow_server import PYTHON, AirflowServer, running
from tests.pipeline_steps.inbox import Inbox, opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked: `make test` leaves it out, `make test-airflow` runs it."""
    for item in items:
        if "tests/airflow/" in item.path.as_posix():
            item.add_marker(pytest.mark.airflow)
            item.add_marker(pytest.mark.timeout(1200))


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="session")
def inbox() -> Iterator[Inbox]:
    """Where the mails of all runs arrive."""
    (port,) = free_ports(1)
    with opened(port) as inbox:
        yield inbox


@pytest.fixture(scope="session")
def server(inbox: Inbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """Airflow, started as `make airflow` does."""
    assert PYTHON.exists(), "no Airflow here: `make test-airflow` installs it"
    folder = tmp_path_factory.mktemp("airflow")
    with running(folder, free_ports(2), int(inbox.server["smtp_port"])) as server:
        yield server
