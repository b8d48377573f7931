"""The report's plots, as SVG that stands inside the page and takes its colours from it.

Matplotlib draws, so that scales, ticks and clipping are nobody's own invention. What it draws is
made to fit in: text stays text, a colour becomes the page's variable (so that one drawing is right
in light and in dark), and names are unique among all plots of a page. The same numbers give the
same bytes: no date, no random name.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline_steps.evaluation_artefacts import Calibration, SliceResult
from pipeline_steps.model_artefacts import SplitReport

# Colours that no plot would have by chance, each in the place of a variable of the page.
INK, SOFT, LINE, ACCENT, SECOND = (f"#00010{number}" for number in range(1, 6))
VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", ACCENT: "accent", SECOND: "second"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "t5-sentiment",
    "font.size": 9.5,
    "text.parse_math": False,  # a $ is a dollar
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.facecolor": "none",
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "figure.facecolor": "none",
}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
WIDTH, HEIGHT = 4.7, 2.9  # inches of 72 units: on a phone, text is as large as the page's own
ROW = 0.25  # inches of a row, where a plot has one for each thing
MOST_MARKED = 40  # points of a line that each have a mark


@dataclass(frozen=True)
class Plot:
    """A drawing, what it is called, and in words what it shows."""

    title: str
    text: str
    svg: Markup


def _plot(
    name: str, title: str, text: str, draw: Callable[[Axes], None], height: float = HEIGHT
) -> Plot:
    # The user's own matplotlibrc must not change the report.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.add_subplot())
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return Plot(title, text, _fitted(file.getvalue(), name, f"{title}. {text}"))


def _fitted(drawn: bytes, name: str, label: str) -> Markup:
    """An SVG file as an element of the page."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(drawn)  # noqa: S314 - matplotlib has just written it
    for unneeded in root.findall(f"{{{SVG}}}metadata"):
        root.remove(unneeded)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute)
    root.attrib.update({"role": "img", "aria-label": label, "class": "plot"})
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set(attribute, f"{name}-{value}")
            elif "#" in value and attribute != "aria-label":
                element.set(attribute, _of_the_page(value, name))
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - text is escaped in it


def _percent() -> PercentFormatter:
    """Of one axis: with as many digits as tell its ticks apart."""
    return PercentFormatter(1, decimals=None, symbol=" %")


def _of_the_page(value: str, name: str) -> str:
    for colour, variable in VARIABLES.items():
        value = value.replace(colour, f"var(--{variable})")
    value = re.sub(r"url\(#", f"url(#{name}-", value)
    return re.sub(r"^#", f"#{name}-", value)


def curve(
    name: str,
    title: str,
    steps: Sequence[int],
    lines: dict[str, list[float]],
    best: int | None,
    *,
    shares: bool = False,
) -> Plot:
    """Lines over the steps of a training; the step of the best model is marked.

    Args:
        name: unique on the page.
        title: of the plot.
        steps: on the x-axis.
        lines: by name; with one there is no legend.
        best: step of the model that was kept.
        shares: the values are shares, shown in percent.
    """
    dashes = ("-", (0, (4, 2)))  # also where colours cannot be told apart
    marker = "o" if len(steps) <= MOST_MARKED else ""

    def draw(axes: Axes) -> None:
        for (label, values), style, colour in zip(
            lines.items(), dashes, (ACCENT, SECOND), strict=False
        ):
            axes.plot(steps, values, ls=style, marker=marker, color=colour, label=label)
        if best is not None:
            axes.axvline(best, color=SOFT, lw=0.9, ls=":")
            axes.annotate(
                "kept", (best, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
                textcoords="offset points", ha="center", color=SOFT, fontsize=8.5,
            )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.set_xlabel("step")
        if shares:
            axes.yaxis.set_major_formatter(_percent())
        if len(lines) > 1:
            axes.legend()

    told = (
        f"{label}: {values[0]:.3g} first, {values[-1]:.3g} last" for label, values in lines.items()
    )
    return _plot(name, title, "; ".join(told), draw)


def reliability(calibration: Calibration) -> Plot:
    """Share of right answers over their score, with the temperature and as it would be without."""
    after = f"as it ships, T = {calibration.temperature:.2f}"

    def draw(axes: Axes) -> None:
        axes.plot([0.5, 1], [0.5, 1], color=SOFT, lw=0.9, ls=":", label="exactly as sure as right")
        for label, found, (colour, marker, ls) in (
            ("before", calibration.before, (SECOND, "s", "--")),
            (after, calibration.after, (ACCENT, "o", "-")),
        ):
            scores = [each.confidence for each in found.bins]
            shares = [each.accuracy for each in found.bins]
            axes.plot(scores, shares, lw=1.2, label=label, color=colour, marker=marker, ls=ls)
        axes.set_xlim(0.49, 1.01)
        axes.set_ylim(top=1.03)
        axes.set_xlabel("score")
        axes.set_ylabel("share that is right")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_percent())
        axes.legend(loc="best", fontsize=8.5)

    text = (
        f"Expected calibration error {calibration.before.ece:.3f} before and "
        f"{calibration.after.ece:.3f} as it ships."
    )
    return _plot("reliability", "Is it as sure as it is right?", text, draw, height=3.4)


def slices(found: Sequence[SliceResult], accuracy: float) -> Plot:
    """Accuracy of each slice with its 95 % interval; a line is that of all rows."""
    known = [
        (each.name, each.accuracy, each.interval)
        for each in found
        if each.accuracy is not None and each.interval
    ]

    def draw(axes: Axes) -> None:
        axes.axvline(accuracy, color=SOFT, lw=0.9, ls=":")
        for place, (_, share, bounds) in enumerate(reversed(known)):
            axes.plot(bounds, [place, place], color=ACCENT, lw=3, alpha=0.35)
            axes.plot([share], [place], "o", color=ACCENT)
        axes.set_yticks(range(len(known)), [name for name, *_ in reversed(known)])
        axes.set_ylim(-0.6, len(known) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(_percent())
        axes.set_xlabel("accuracy; dotted: all rows")

    name, share, _ = min(known, key=lambda each: each[1])
    text = f"The worst of {len(known)} slices is {name} with {share:.1%}."
    return _plot("slices", "Accuracy on each kind of sentence", text, draw, ROW * len(known) + 0.7)


def lengths(splits: dict[str, SplitReport]) -> Plot:
    """How long the sentences of each split are, in words, as shares of it."""
    edges = list(next(iter(splits.values())).words)
    used = [edge for edge in edges if any(report.words[edge] for report in splits.values())]
    width = 0.8 / len(splits)

    def draw(axes: Axes) -> None:
        for place, (name, report) in enumerate(splits.items()):
            shares = [report.words[edge] / max(1, report.rows) for edge in used]
            at = [number + (place - (len(splits) - 1) / 2) * width for number in range(len(used))]
            colour, hatch = ((ACCENT, ""), (SECOND, "////"))[place % 2]
            axes.bar(at, shares, width * 0.9, label=name, facecolor="none" if hatch else colour,
                     edgecolor=colour, hatch=hatch)  # fmt: skip
        axes.set_xticks(range(len(used)), used)
        axes.set_xlabel("words")
        axes.yaxis.set_major_formatter(_percent())
        axes.grid(visible=False, axis="x")
        axes.legend()

    means = (f"{name} {report.mean_words:.1f}" for name, report in splits.items())
    return _plot("lengths", "How long the sentences are", f"Mean words: {', '.join(means)}.", draw)
