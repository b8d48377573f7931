"""A typed JSON file, written whole or not at all, through which the steps talk.

What a file holds is typed; one with other keys is refused, so that old and new code never mix
quietly.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from pipeline_steps.errors import ConfigurationError
from pipeline_steps.files import write_atomically


@dataclass(frozen=True)
class Artefact:
    """A typed JSON file; subclasses name the file and the step that writes it."""

    FILE: ClassVar[str]
    STEP: ClassVar[str]

    def save(self, work_dir: Path) -> None:
        """Write the file into `work_dir`, whole or not at all."""
        write_atomically(
            work_dir / self.FILE, lambda path: path.write_text(self.text(), encoding="utf-8")
        )

    @classmethod
    def load(cls, work_dir: Path) -> Self:
        """Read the file from `work_dir`.

        Raises:
            ConfigurationError: it is missing or not what this code writes; says what to run.
        """
        path = work_dir / cls.FILE
        advice = f"Run `python -m pipeline_steps.{cls.STEP}` with the same flags first."
        try:
            return cls.parse(path.read_bytes())
        except FileNotFoundError:
            raise ConfigurationError(f"{path} is missing. {advice}") from None
        except ValueError as error:
            raise ConfigurationError(f"{path} is not readable ({error}). {advice}") from error

    @classmethod
    def parse(cls, text: bytes, *, strict: bool = True) -> Self:
        """Read what `save` wrote, wherever it was kept.

        Args:
            text: JSON.
            strict: refuse keys that this code does not know. What lies in S3 may have been written
                by a newer checkout, and is read without.

        Raises:
            ValueError: it is not what this code writes.
        """
        # Whoever only makes one, to mail it, may lack every package.
        import dacite  # noqa: PLC0415 - dataclasses from JSON with every key and type checked

        payload = json.loads(text)
        if not isinstance(payload, dict):
            raise ValueError(f"expected an object, found {type(payload).__name__}")
        try:
            return dacite.from_dict(cls, payload, dacite.Config(strict=strict))
        except dacite.DaciteError as error:
            raise ValueError(str(error)) from error

    def text(self) -> str:
        """The JSON that the file holds."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def find(cls, work_dir: Path) -> Self | None:
        """Read the file if it is there and readable, to see what an earlier run has done."""
        try:
            return cls.load(work_dir)
        except ConfigurationError:
            return None
