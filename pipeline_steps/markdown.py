"""Markdown for GitHub's pages, in which no text of the data becomes markup."""

import html
import re
from collections.abc import Iterable, Sequence

MOST_CHARACTERS = 300  # of a cell
# Mermaid's own is next to invisible on white.
COLOUR = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#1f6feb"}}}}%%'
SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~@:-])")


def escaped(text: object, most: int = MOST_CHARACTERS) -> str:
    """Any text as it reads: one line, no markup, no link, no mention, at most `most` characters."""
    line = " ".join(str(text).split())
    line = "".join(character for character in line if character.isprintable())
    if len(line) > most:
        line = f"{line[: most - 1]}…"
    # Each special character as its number: a backslash would do, but not inside every table.
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", html.escape(line, quote=False))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are escaped."""
    lines = [_row(head), _row(["---"] * len(head), plain=True)]
    return "\n".join([*lines, *(_row(row) for row in rows)])


def _row(cells: Sequence[object], *, plain: bool = False) -> str:
    return f"| {' | '.join(str(cell) if plain else escaped(cell) for cell in cells)} |"


def folded(title: str, text: str) -> str:
    """Text behind a title that opens it."""
    return f"<details><summary>{html.escape(title)}</summary>\n\n{text}\n\n</details>"


def chart(title: str, x: str, labels: Sequence[object], y: str, values: Sequence[float]) -> str:
    """A line, as a Mermaid chart."""
    low, high = min(values), max(values)
    room = (high - low or abs(high) or 1) * 0.1
    numbers = ", ".join(f"{value:.4f}" for value in values)
    named = ", ".join(f'"{label}"' for label in labels)
    return "\n".join(
        (
            "```mermaid",
            COLOUR,
            "xychart-beta",
            f'    title "{title}"',
            f'    x-axis "{x}" [{named}]',
            f'    y-axis "{y}" {low - room:.4f} --> {high + room:.4f}',
            f"    line [{numbers}]",
            "```",
        )
    )
