"""The price table: `prices.toml`, of one region at one date."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import dacite

from pipeline_steps.errors import ConfigurationError

PRICE_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Rate:
    """A price in USD for one unit, and where it stands."""

    usd: float
    unit: str
    source: str
    confirmed: bool


@dataclass(frozen=True)
class Prices:
    """The price table: of one region, at one date; instances are by the hour."""

    date: str
    region: str
    rates: dict[str, Rate]
    instances: dict[str, float]

    def rate(self, name: str) -> Rate:
        """The price called `name`.

        Raises:
            ConfigurationError: the table does not have it.
        """
        if name not in self.rates:
            raise ConfigurationError(
                f"{PRICE_FILE.name} has no [rates.{name}]. It needs usd, unit, source, confirmed."
            )
        return self.rates[name]

    def of_instance(self, kind: str) -> float:
        """USD an hour of an instance.

        Raises:
            ConfigurationError: the table does not know it.
        """
        if kind not in self.instances:
            raise ConfigurationError(
                f"{PRICE_FILE.name} has no price of the instance {kind!r}. It knows "
                f"{', '.join(sorted(self.instances))}. Choose one of them, or add its price."
            )
        return self.instances[kind]


def load_prices(file: Path = PRICE_FILE) -> Prices:
    """Read the price table.

    Raises:
        ConfigurationError: it cannot be read, or is not one.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return dacite.from_dict(
            Prices, table, dacite.Config(strict=True, type_hooks={float: float})
        )
    except (OSError, ValueError, dacite.DaciteError) as error:
        raise ConfigurationError(f"{file}: cannot be read as a price table ({error}).") from error
