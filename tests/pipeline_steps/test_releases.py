"""The history of releases, and which of them is the way back."""

import dataclasses
import json
from collections.abc import Callable

import pytest

from pipeline_steps import releases
from pipeline_steps.aws import Clients
from pipeline_steps.errors import DeployError
from pipeline_steps.release_artefacts import ReleaseRecord
from pipeline_steps.settings import Settings

Make = Callable[..., Settings]


def made(name: str, minute: int, reason: str = "release", replaced: str = "") -> ReleaseRecord:
    """A record; `name` is the identity, such as "a@1"."""
    config, _, version = name.partition("@")
    return ReleaseRecord(
        released_at=f"2026-01-01T00:{minute:02}:00.000000Z", reason=reason, model_version=config,
        endpoint_name="endpoint", endpoint_config_name=config, function_version=version,
        model_data_url="s3://bucket/key", tarball_sha256="", model_package_arn="", git={},
        replaced=replaced or None,
    )  # fmt: skip


def back_from(identity: str | None, *newest_first: ReleaseRecord) -> str | None:
    found = releases.previous(list(newest_first), identity)
    return found.identity if found else None


A, B, C = made("a@1", 1), made("b@2", 2, replaced="a@1"), made("c@3", 3, replaced="b@2")
BACK_TO_B = made("b@2", 4, "rollback", replaced="c@3")


def test_previous_is_the_release_before() -> None:
    assert back_from("c@3", C, B, A) == "b@2"
    assert back_from("a@1", A) is None
    assert back_from(None) is None


def test_untested_release_gives_way_to_the_newest() -> None:
    assert back_from("d@4", C, B, A) == "c@3"
    assert back_from("c@4", C, B, A) == "c@3"
    # b shipped again, and killed before its function came
    assert back_from("b@3", C, B, A) == "c@3"
    assert back_from("a@2", B, A) == "b@2"
    assert back_from(None, C, B, A) == "c@3"


def test_release_that_was_gone_back_to_is_the_way_back() -> None:
    later = made("d@4", 6, replaced="b@2")
    assert back_from("d@4", later, BACK_TO_B, C, B, A) == "b@2"


@pytest.mark.parametrize("half_way", ["c@3", "c@2", "b@2"])
def test_rollback_killed_anywhere_leads_to_the_same(half_way: str) -> None:
    # GIVEN a rollback from c to b that was killed before its record was written
    assert back_from(half_way, C, B, A) == "b@2"


def test_history_comes_newest_first(release: Make) -> None:
    clients, settings = Clients(), release()
    for record in (A, B, C):
        releases.record(settings, clients, record)
    assert releases.history(settings, clients) == [C, B, A]
    # AND staging has a history of its own
    assert releases.history(settings.in_environment("staging"), clients) == []


def test_same_release_is_recorded_once(release: Make) -> None:
    clients, settings = Clients(), release()
    releases.record(settings, clients, A)
    releases.record(settings, clients, made("a@1", 9))
    assert releases.history(settings, clients) == [A]


def test_history_ends_at_a_teardown(release: Make) -> None:
    clients, settings = Clients(), release()
    releases.close(settings, clients)
    for record in (A, B):
        releases.record(settings, clients, record)
    releases.close(settings, clients)
    assert releases.history(settings, clients) == []
    releases.record(settings, clients, dataclasses.replace(C, released_at=releases.now()))
    (known,) = releases.history(settings, clients)
    assert known.identity == C.identity


def test_record_of_a_newer_checkout_is_read(release: Make) -> None:
    clients, settings = Clients(), release()
    text = json.dumps({**dataclasses.asdict(A), "latency": 3})
    clients.s3.put_object(
        Bucket=settings.deploy.bucket,
        Key="t5-sentiment-demo/releases/production/20260101.json",
        Body=text.encode(),
    )
    assert releases.history(settings, clients) == [A]


def test_release_shipped_again_after_a_rollback_is_no_news(release: Make) -> None:
    clients, settings = Clients(), release()
    for record in (B, C, BACK_TO_B, made("b@2", 5)):
        releases.record(settings, clients, record)
    assert releases.history(settings, clients) == [BACK_TO_B, C, B]


def test_damaged_record_is_named(release: Make) -> None:
    clients, settings = Clients(), release()
    releases.record(settings, clients, A)
    (listed,) = clients.s3.list_objects_v2(
        Bucket=settings.deploy.bucket, Prefix="t5-sentiment-demo/releases/"
    )["Contents"]
    clients.s3.put_object(Bucket=settings.deploy.bucket, Key=listed["Key"], Body=b"{}")
    with pytest.raises(DeployError, match=f"{listed['Key']} is no record"):
        releases.history(settings, clients)


def test_evaluation_that_is_gone_is_told(release: Make) -> None:
    with pytest.raises(DeployError, match=r"evaluation of a, cannot be read .*cannot be proven"):
        releases.evaluation_of(Clients(), made("a@1", 1))


def test_times_sort_as_they_read() -> None:
    first, second = releases.now(), releases.now()
    assert first < second or first == second
    assert first.endswith("Z")
