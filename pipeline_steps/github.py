"""What a step tells the GitHub job that it runs in; elsewhere it is told to nobody.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import os
from pathlib import Path


def set_output(name: str, value: str) -> None:
    """Give `value`, one line, to the later steps of the job under `name`."""
    path = os.environ.get("GITHUB_OUTPUT")
    if not path:
        return
    if "\n" in name + value or "\r" in name + value:
        raise ValueError(f"The output {name!r} is {value!r}, expected one line.")
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{name}={value}\n")
