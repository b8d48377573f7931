"""The form of every benchmark's result: rows, ratios, and bars that are met or shown as not met."""

import datetime
import json
import operator
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline_steps.files import write_atomically
from pipeline_steps.fingerprint import git_state

COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt}


@dataclass(frozen=True)
class Row:
    """One figure of one system; `spread` is the highest minus the lowest of its repeats."""

    system: str
    metric: str
    value: float
    unit: str
    spread: float | None = None


@dataclass
class Report:
    """What a benchmark measured; `bar` compares a figure with what was promised."""

    name: str
    rows: list[Row] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    bars: list[dict[str, Any]] = field(default_factory=list)

    def row(
        self,
        system: str,
        metric: str,
        value: float,
        unit: str,
        bar: str = "",
        *,
        spread: float | None = None,
    ) -> None:
        """Add a figure, and hold it to `bar`: a comparison and a number, such as "<= 120"."""
        self.rows.append(Row(system, metric, value, unit, spread))
        if bar:
            sign, number = bar.split()
            met = bool(COMPARISONS[sign](value, float(number)))
            self.bars.append(
                {"name": f"{system}, {metric}", "bar": bar, "value": value, "met": met}
            )

    def finish(self, folder: Path = Path("build/bench")) -> int:
        """Print the table, write the JSON; 1 where a bar is not met."""
        table = Table(title=f"bench {self.name}", title_justify="left")
        for column in ("system", "metric", "value", "spread", "unit", "bar"):
            numeric = column in ("value", "spread")
            table.add_column(column, justify="right" if numeric else "left")
        bars = {bar["name"]: bar for bar in self.bars}
        for row in self.rows:
            bar = bars.get(f"{row.system}, {row.metric}")
            verdict = f"{bar['bar']} {'met' if bar['met'] else 'NOT MET'}" if bar else ""
            spread = "" if row.spread is None else f"{row.spread:,.2g}"
            value = f"{row.value:,.4g}"
            table.add_row(row.system, row.metric, value, spread, row.unit, verdict)
        Console(width=110).print(table)
        path = folder / f"{self.name}.json"
        text = json.dumps(self._as_dict(), indent=2) + "\n"
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        print(f"written to {path}")
        return 0 if all(bar["met"] for bar in self.bars) else 1

    def _as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "commit": git_state()["commit"],
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": {"cpu": processor(), "cores": os.cpu_count()},
            "rows": [asdict(row) for row in self.rows],
            "ratios": self.ratios,
            "bars": self.bars,
        }


def processor() -> str:
    """The name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
