"""Show the settings of a run, or say which of them cannot be.

    python -m pipeline_steps.show_settings --profile sst2 --epochs 2

Reads `pipeline.toml`, the environment and the flags; needs the standard library only.
"""

import dataclasses
import sys

from pipeline_steps import settings as settings_module
from pipeline_steps import step


def main(arguments: list[str] | None = None) -> int:
    """Print the settings and give back the exit code."""
    parser = step.parser_with_flags(__doc__, "python -m pipeline_steps.show_settings")
    parsed = parser.parse_args(arguments)

    def show() -> None:
        settings = settings_module.from_flags(parsed)
        for group in settings_module.GROUPS:
            print(f"[{settings.profile}.{group}]")
            for name, value in dataclasses.asdict(getattr(settings, group)).items():
                print(f"{name} = {value!r}")

    return step.exit_code_of(show, "show_settings")


if __name__ == "__main__":
    sys.exit(main())
