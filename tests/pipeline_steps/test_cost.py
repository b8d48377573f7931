"""The estimate adds up, says what it assumes, and never applies a price that does not belong."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import metrics
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_steps import cost
from pipeline_steps import settings as settings_module
from pipeline_steps.cost import CostEstimate
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.evaluation_artefacts import GoldenAnswer
from pipeline_steps.model_artefacts import Manifest, TrainingReport
from pipeline_steps.prices import Prices, Rate, load_prices
from pipeline_steps.release_artefacts import SmokeReport
from pipeline_steps.settings import Settings

RATES = {  # round figures, to be added up by hand
    "serverless_gb_second": 0.01, "provisioned_gb_second": 0.001,
    "provisioned_busy_gb_second": 0.005, "inference_gb": 1.0, "lambda_million": 2.0,
    "lambda_gb_second": 0.1, "api_million": 3.0, "s3_gb_month": 4.0, "alarm": 0.5, "metric": 0.25,
    "dashboard": 7.0, "logs_gb": 5.0,
}  # fmt: skip
PRICES = Prices(
    date="2020-02-02",
    region="us-east-1",
    rates={name: Rate(usd, name, "https://example.com", True) for name, usd in RATES.items()},
    instances={"ml.train": 36.0, "ml.serve": 0.5},
)
ONE_MILLION = {
    "requests_per_month": 1_000_000, "training_instance": "ml.train", "approval": "evaluation",
    "keep_releases": 5, "memory_mb": 2048,
}  # fmt: skip


def settings_of(**overrides: Any) -> Settings:
    """Settings of a million requests to production alone."""
    return settings_module.load("demo", overrides=ONE_MILLION | overrides)


def made(table: Prices = PRICES, region: str | None = None, **overrides: Any) -> CostEstimate:
    """An estimate with 100 s of training, a tarball of 2 GB and 0.5 s an answer."""
    return cost.estimate(
        settings_of(**overrides),
        table,
        training_seconds=100,
        tarball_bytes=2 * 10**9,
        answer_seconds=0.5,
        region=region,
    )


def usd(estimate: CostEstimate) -> dict[str, float]:
    """What each line costs."""
    return {line.what: round(line.usd, 6) for line in estimate.lines}


COMMON = {
    "training, ml.train": 1.0,  # 100 s of an hour for 36
    "endpoint, data": 2.0,  # 2 kB a million times
    "function, requests": 2.0,
    "function, time": 12_500.0,  # a quarter GB for half a second, a million times
    "HTTP API": 3.0,
    "logs": 5.0,  # 1 kB a million times
    "5 tarballs": 40.0,
    "alarms": 2.5,
    "metrics": 2.25,
    "dashboards": 7.0,
}


def test_serverless_adds_up() -> None:
    estimate = made()
    assert usd(estimate) == COMMON | {"endpoint, requests": 10_000.0}  # 2 GB for half a second
    assert estimate.total == pytest.approx(22_564.75)


def test_realtime_adds_up() -> None:
    estimate = made(mode="realtime", instance_type="ml.serve", min_capacity=2, max_capacity=2)
    assert usd(estimate) == COMMON | {"endpoint, ml.serve": 730.0}
    assert estimate.total == pytest.approx(13_294.75)


def test_provisioned_adds_up() -> None:
    estimate = made(min_capacity=1, max_capacity=3)
    assert usd(estimate) == COMMON | {
        "endpoint, kept warm": 5_256.0,  # 2 GB for 730 hours
        "endpoint, requests": 5_000.0,
        "alarms": 3.5,  # two more, of the scaling
    }
    assert "kept warm: 1; 3, the maximum, costs 3 times as much" in estimate.notes


@pytest.mark.parametrize("most", [1, 3])
def test_no_minimum_keeps_one_warm(most: int) -> None:
    estimate = made(min_capacity=0, max_capacity=most)
    assert usd(estimate) == usd(made(min_capacity=1, max_capacity=most))
    told = "kept warm: 1 at least, as AWS keeps no less where max_capacity is set"
    assert told in estimate.notes
    assert told not in made(min_capacity=1, max_capacity=most).notes
    assert told not in made().notes


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ({}, 5),
        ({"quiet_hours": 24}, 6),
        ({"quiet_hours": 24, "approval": "staging"}, 11),
        ({"quiet_hours": 24, "approval": "staging", "max_capacity": 2}, 15),
        ({"mode": "realtime", "instance_type": "ml.serve", "max_capacity": 1}, 5),
    ],
)
def test_alarms_are_counted_as_made(overrides: dict[str, Any], count: int) -> None:
    (line,) = [line for line in made(**overrides).lines if line.what == "alarms"]
    assert line.quantity == count


def test_no_traffic_costs_what_stands() -> None:
    lines = usd(made(requests_per_month=0))
    standing = {"training, ml.train", "5 tarballs", "alarms", "metrics", "dashboards"}
    assert {what for what, amount in lines.items() if amount} == standing


def test_staging_doubles_what_stands() -> None:
    single, double = (
        usd(made(approval=approval, min_capacity=1, max_capacity=1))
        for approval in ("evaluation", "staging")
    )
    doubled = {what for what in single if double[what] == pytest.approx(2 * single[what])}
    assert doubled == {"endpoint, kept warm", "alarms", "metrics", "dashboards"}
    assert all(double[what] == single[what] for what in single.keys() - doubled)


@given(
    requests=st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
    mode=st.sampled_from(["serverless", "realtime"]),
    warm=st.integers(0, 5),
)
def test_more_requests_never_cost_less(requests: tuple[int, int], mode: str, warm: int) -> None:
    few, many = (
        made(
            requests_per_month=count, mode=mode, instance_type="ml.serve",
            min_capacity=warm, max_capacity=warm,
        ).total
        for count in sorted(requests)
    )  # fmt: skip
    assert 0 < few <= many


@pytest.mark.parametrize(
    "overrides",
    [{"training_instance": "ml.none"}, {"mode": "realtime", "instance_type": "ml.none"}],
)
def test_unknown_instance_names_the_known(overrides: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"'ml.none'. It knows ml.serve, ml.train"):
        made(**overrides)


def test_other_region_is_told() -> None:
    told = "prices of us-east-1: those of eu-west-1, where it runs, may differ"
    assert told in made(region="eu-west-1").notes
    for home in ("us-east-1", None):
        assert told not in made(region=home).notes
        assert made(region=home).notes[0].startswith("prices of 2020-02-02, us-east-1")


def test_unsure_prices_are_told_where_used() -> None:
    unsure = dataclasses.replace(PRICES.rates["provisioned_gb_second"], confirmed=False)
    table = dataclasses.replace(PRICES, rates=PRICES.rates | {"provisioned_gb_second": unsure})
    told = "not confirmed by a second source: 0.001 a provisioned_gb_second"
    assert told in made(table, min_capacity=1, max_capacity=1).notes
    assert told not in made(table).notes


def test_table_shows_each_line() -> None:
    table = cost.as_table(made())
    assert re.search(r"^\| HTTP API +\| 1.00 api_million +\| 3 +\| 3.00 +\|$", table, re.MULTILINE)
    assert re.search(r"^\| total +\| +\| +\| 22,564.75 +\|$", table, re.MULTILINE)
    assert "- prices of 2020-02-02" in table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == len(made().lines) + 3


@pytest.mark.parametrize("mode", ["serverless", "realtime"])
@pytest.mark.parametrize("warm", [0, 1])
def test_real_prices_cover_each_mode(mode: str, warm: int) -> None:
    real = load_prices()
    instance = {"training_instance": "ml.g5.xlarge", "instance_type": "ml.m5.large"}
    overrides = {"mode": mode, "min_capacity": warm, "max_capacity": warm} | instance
    assert made(real, **overrides).total > 0


def test_metrics_are_counted_as_made() -> None:
    assert len(metrics.UNITS) == cost.METRICS


def test_empty_build_says_assumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main(["--profile", "sst2", "--build-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "assumed, for want of a measurement: 3600 s of training, a tarball of 250 MB" in said
    assert list(tmp_path.iterdir()) == []


def test_build_gives_the_figures(tmp_path: Path) -> None:
    settings = settings_module.load("demo", tmp_path)
    TrainingReport(
        model_version="v", fingerprint="f", inputs={}, result={"seconds": 720.0}, git={},
        package_versions={}, files={},
    ).save(settings.work_dir / "checkpoint")  # fmt: skip
    Manifest(
        model_version="v", fingerprint="f", trained_at={}, exported_at={}, data_hash="",
        data_source="", settings={}, metrics={}, package_versions={}, files={}, tarball_sha256="",
        tarball_bytes=10**9,
    ).save(settings.work_dir)  # fmt: skip
    SmokeReport(
        api_url="", model_version="v", golden_answers=1, largest_score_difference=0,
        first_answer_seconds=3, median_answer_seconds=0.125, refused_requests={},
        example=GoldenAnswer("", "", 0),
    ).save(settings.environment_dir)  # fmt: skip
    estimate = cost.of_build(settings)
    quantities = {line.what: line.quantity for line in estimate.lines}
    assert quantities["training, ml.g5.xlarge"] == pytest.approx(0.2)
    assert quantities["5 tarballs"] == pytest.approx(5)
    assert quantities["endpoint, requests"] == pytest.approx(25_000)
    assert not [note for note in estimate.notes if note.startswith("assumed")]


def test_region_comes_from_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert cost.main(["--build-dir", str(tmp_path)]) == 0
    assert "those of eu-central-1, where it runs, may differ" in capsys.readouterr().out


def test_mistyped_instance_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cost.main(["--build-dir", str(tmp_path), "--training-instance", "ml.no"]) == 2
    assert "ml.g5.xlarge" in capsys.readouterr().err
