"""What a step tells the GitHub job that it runs in; elsewhere it is told to nobody.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import os
import uuid
from pathlib import Path

MOST_CHARACTERS = 4_000  # of an annotation or an output: GitHub cuts the one, and shells the other


def in_actions() -> bool:
    """Whether this is a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def set_output(name: str, value: str) -> None:
    """Give `value` to the later steps of the job under `name`."""
    value = clipped(value)
    if "\n" not in value and "\r" not in value:
        _append("GITHUB_OUTPUT", f"{name}={value}\n")
        return
    # Lines end only with one that the value cannot know, so none becomes an output of its own.
    end = f"end-{uuid.uuid4().hex}"
    _append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n")


def add_summary(markdown: str) -> None:
    """Append to the job's summary page."""
    _append("GITHUB_STEP_SUMMARY", markdown.rstrip("\n") + "\n\n")


def tell_error(title: str, message: str) -> None:
    """Show an error where GitHub lists those of a run, and leave it to later jobs as an output."""
    if in_actions():
        shown = _escaped(clipped(message))
        print(f"::error title={_escaped(title, property_of=True)}::{shown}", flush=True)
    set_output("error", message)


def clipped(text: str) -> str:
    """`text`, cut in the middle where it is longer than GitHub takes: both ends say the most."""
    if len(text) <= MOST_CHARACTERS:
        return text
    half = MOST_CHARACTERS // 2
    return f"{text[:half]} [...] {text[-half:]}"


def _escaped(text: str, *, property_of: bool = False) -> str:
    for plain, code in {"%": "%25", "\r": "%0D", "\n": "%0A"}.items():
        text = text.replace(plain, code)
    return text.replace(":", "%3A").replace(",", "%2C") if property_of else text


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
