"""What a month costs: training once, serving the expected traffic, storing and watching.

    python -m pipeline_steps.cost --profile sst2 --requests-per-month 1000000

The prices are those of `prices.toml`, at its date. It is an estimate: a month has 730 hours, free
tiers are not subtracted, and a request is taken to be billed for as long as the smoke test waited
for its answer, which is an upper bound. Prints a table; asks AWS for nothing.
"""

import os
import sys
from dataclasses import dataclass, replace

from pipeline_steps import alarms, step
from pipeline_steps import settings as settings_module
from pipeline_steps.http_api import FUNCTION_MB
from pipeline_steps.model_artefacts import Manifest, TrainingReport
from pipeline_steps.prices import Prices, load_prices
from pipeline_steps.release_artefacts import SmokeReport
from pipeline_steps.setting_groups import Environment
from pipeline_steps.settings import Settings

HOURS_A_MONTH = 730
GB = 10**9  # bytes
REQUEST_BYTES = 2_000  # a sentence and its answer, in and out
LOG_BYTES = 1_000  # that a request leaves in the logs
METRICS = 9  # that the function's log lines become, in an environment
# Of a target tracking policy, made by Application Auto Scaling itself:
# https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
TRACKING_ALARMS = 2
# Where nothing was measured yet.
TRAINING_SECONDS, TARBALL_BYTES, ANSWER_SECONDS = 3600.0, 250_000_000, 0.5


@dataclass(frozen=True)
class CostLine:
    """One position: how much of what, at which price in USD for one unit."""

    what: str
    quantity: float
    unit: str
    unit_price: float

    @property
    def usd(self) -> float:
        """What it costs in a month."""
        return self.quantity * self.unit_price


@dataclass(frozen=True)
class CostEstimate:
    """A month's positions, and what must be known to read them."""

    prices: Prices
    lines: tuple[CostLine, ...]
    notes: tuple[str, ...]

    @property
    def total(self) -> float:
        """USD a month."""
        return sum(line.usd for line in self.lines)


def estimate(
    settings: Settings,
    prices: Prices,
    *,
    training_seconds: float,
    tarball_bytes: int,
    answer_seconds: float,
    region: str | None = None,
) -> CostEstimate:
    """What a month of these settings costs.

    Args:
        settings: what is deployed, how it scales, and the traffic.
        prices: the table.
        training_seconds: of one training, which the month has one of.
        tarball_bytes: of one model.
        answer_seconds: that an answer takes; an upper bound of what is billed.
        region: where it runs; None where that is not known.

    Raises:
        ConfigurationError: the table does not know an instance that is used.
    """
    lines = [
        CostLine(
            f"training, {settings.compute.training_instance}",
            training_seconds / 3600,
            "hours",
            prices.of_instance(settings.compute.training_instance),
        ),
        *_endpoint(settings, prices, answer_seconds),
        *_front(settings, prices, answer_seconds),
        *_kept(settings, prices, tarball_bytes),
    ]
    return CostEstimate(prices, tuple(lines), _notes(settings, prices, region, lines))


def _environments(settings: Settings) -> tuple[Environment, ...]:
    single = settings.deploy.approval == "evaluation"
    return ("production",) if single else ("staging", "production")


def _warm(settings: Settings) -> tuple[int, int]:
    """What is kept warm of an environment, at least and at most; AWS does not scale below 1."""
    low = max(1, settings.deploy.min_capacity)
    return low, max(low, settings.deploy.max_capacity)


def _alarms(settings: Settings) -> int:
    low, high = _warm(settings)
    there = [settings.in_environment(environment) for environment in _environments(settings)]
    tracking = TRACKING_ALARMS if low < high else 0
    return sum(len(alarms.wanted(of_one)) + tracking for of_one in there)


def _line(prices: Prices, what: str, quantity: float, rate: str) -> CostLine:
    price = prices.rate(rate)
    return CostLine(what, quantity, price.unit, price.usd)


def _endpoint(settings: Settings, prices: Prices, answer_seconds: float) -> list[CostLine]:
    deploy, requests = settings.deploy, settings.cost.requests_per_month
    data = _line(prices, "endpoint, data", requests * REQUEST_BYTES / GB, "inference_gb")
    warm = _warm(settings)[0] * len(_environments(settings)) * HOURS_A_MONTH
    if deploy.mode == "realtime":
        price = prices.of_instance(deploy.instance_type)
        return [CostLine(f"endpoint, {deploy.instance_type}", warm, "hours", price), data]
    memory_gb = deploy.memory_mb / 1024
    busy = memory_gb * answer_seconds * requests
    if not deploy.max_capacity:
        return [_line(prices, "endpoint, requests", busy, "serverless_gb_second"), data]
    kept = memory_gb * warm * 3600
    return [
        _line(prices, "endpoint, kept warm", kept, "provisioned_gb_second"),
        _line(prices, "endpoint, requests", busy, "provisioned_busy_gb_second"),
        data,
    ]


def _front(settings: Settings, prices: Prices, answer_seconds: float) -> list[CostLine]:
    requests = settings.cost.requests_per_month
    millions = requests / 10**6
    return [
        _line(prices, "function, requests", millions, "lambda_million"),
        _line(
            prices,
            "function, time",
            FUNCTION_MB / 1024 * answer_seconds * requests,
            "lambda_gb_second",
        ),
        _line(prices, "HTTP API", millions, "api_million"),
        _line(prices, "logs", requests * LOG_BYTES / GB, "logs_gb"),
    ]


def _kept(settings: Settings, prices: Prices, tarball_bytes: int) -> list[CostLine]:
    environments, releases = len(_environments(settings)), settings.deploy.keep_releases
    return [
        _line(prices, f"{releases} tarballs", releases * tarball_bytes / GB, "s3_gb_month"),
        _line(prices, "alarms", _alarms(settings), "alarm"),
        _line(prices, "metrics", METRICS * environments, "metric"),
        _line(prices, "dashboards", environments, "dashboard"),
    ]


def _notes(
    settings: Settings, prices: Prices, region: str | None, lines: list[CostLine]
) -> tuple[str, ...]:
    notes = [f"prices of {prices.date}, {prices.region}; no free tier, tax or data transfer out"]
    if region and region != prices.region:
        notes.append(f"prices of {prices.region}: those of {region}, where it runs, may differ")
    used = {(line.unit, line.unit_price) for line in lines}
    unsure = [r for r in prices.rates.values() if not r.confirmed and (r.unit, r.usd) in used]
    if unsure:
        told = ", ".join(f"{_decimal(rate.usd)} a {rate.unit}" for rate in unsure)
        notes.append(f"not confirmed by a second source: {told}")
    notes.append(
        f"{settings.cost.requests_per_month:,} requests a month, all to production; the time they "
        "are billed for is an upper bound"
    )
    low, high = _warm(settings)
    if settings.deploy.max_capacity and not settings.deploy.min_capacity:
        notes.append("kept warm: 1 at least, as AWS keeps no less where max_capacity is set")
    if high > low:
        notes.append(f"kept warm: {low}; {high}, the maximum, costs {high / low:g} times as much")
    return tuple(notes)


def of_build(settings: Settings, region: str | None = None) -> CostEstimate:
    """The estimate with what was measured, where the build folder has it; the notes tell the rest.

    Raises:
        ConfigurationError: the price table does not know an instance that is used.
    """
    training = TrainingReport.find(settings.work_dir / "checkpoint")
    manifest = Manifest.find(settings.work_dir)
    smoke = SmokeReport.find(settings.environment_dir)
    made = estimate(
        settings,
        load_prices(),
        training_seconds=training.result["seconds"] if training else TRAINING_SECONDS,
        tarball_bytes=manifest.tarball_bytes if manifest else TARBALL_BYTES,
        answer_seconds=smoke.median_answer_seconds if smoke else ANSWER_SECONDS,
        region=region,
    )
    notes = list(made.notes)
    if training:
        notes.append("the training's time is that of the machine it ran on")
    assumed = {
        f"{TRAINING_SECONDS:g} s of training": training,
        f"a tarball of {TARBALL_BYTES / 10**6:g} MB": manifest,
        f"{ANSWER_SECONDS:g} s an answer": smoke,
    }
    missing = [text for text, known in assumed.items() if known is None]
    if missing:
        notes.append(f"assumed, for want of a measurement: {', '.join(missing)}")
    return replace(made, notes=tuple(notes))


def _decimal(value: float) -> str:
    """A number without an exponent, and no more digits than it has."""
    return f"{value:,.10f}".rstrip("0").rstrip(".")


def as_table(made: CostEstimate) -> str:
    """The estimate as a Markdown table, which is readable as text, too."""
    rows = [
        (
            line.what,
            f"{line.quantity:,.2f} {line.unit}",
            _decimal(line.unit_price),
            f"{line.usd:,.2f}",
        )
        for line in made.lines
    ]
    rows = [("what", "quantity", "USD a unit", "USD a month"), *rows]
    rows.append(("total", "", "", f"{made.total:,.2f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"| {' | '.join('-' * width for width in widths)} |")
    return "\n".join([*lines, "", *(f"- {note}" for note in made.notes)])


def main(arguments: list[str] | None = None) -> int:
    """Print the estimate and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.cost")
    parsed = parser.parse_args(arguments)

    def show() -> None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        print(as_table(of_build(settings_module.from_flags(parsed), region)))

    return step.exit_code_of(show)


if __name__ == "__main__":
    sys.exit(main())
