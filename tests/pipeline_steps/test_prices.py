"""The price table is whole, and one that is not is refused."""

import re
from pathlib import Path

import pytest

from pipeline_steps import settings as settings_module
from pipeline_steps.errors import ConfigurationError
from pipeline_steps.prices import load_prices


def test_real_table_is_complete() -> None:
    table = load_prices()
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", table.date)
    assert all(rate.source.startswith("https://aws.amazon.com/") for rate in table.rates.values())
    assert all(rate.usd > 0 for rate in table.rates.values())
    for settings in (settings_module.load("demo"), settings_module.load("sst2")):
        table.of_instance(settings.deploy.instance_type)
        table.of_instance(settings.compute.training_instance)


@pytest.mark.parametrize("text", ["date = 1", 'date = "2020-01-01"', "not toml", None])
def test_broken_table_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "prices.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read as a price table"):
        load_prices(file)


def test_missing_rate_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"has no \[rates.lambda_billion\]"):
        load_prices().rate("lambda_billion")
