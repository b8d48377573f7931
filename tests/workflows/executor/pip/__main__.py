"""`python -m pip install ...`, as far as workflows use it."""

import importlib.metadata
import shlex
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).with_name("source.txt").read_text(encoding="utf-8").strip()
SITE = Path(sysconfig.get_path("purelib"))
FLAGS = {"--quiet", "-q", "--disable-pip-version-check", "--upgrade", "-U", "--no-cache-dir",
         "--only-binary=:all:", "--no-input", "--prefer-binary"}  # fmt: skip
WITH_VALUE = {"-c", "--constraint", "--index-url", "-i", "--extra-index-url", "--timeout",
              "--retries", "--progress-bar", "--only-binary"}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run a pip command; returns the exit code."""
    if arguments == ["--version"]:
        print("pip, a stand-in")
        return 0
    if arguments[:1] != ["install"]:
        sys.exit(f"ERROR: the stand-in for pip knows `install` only, not {arguments[:1]}")
    wanted = list(_requirements(arguments[1:], Path.cwd()))
    if not wanted:
        sys.exit("ERROR: You must give at least one requirement to install")
    sys.path.append(SOURCE)
    linked = _Installer().install(wanted)
    print(f"Successfully installed {' '.join(sorted(linked)).replace('[]', '')}")
    return 0


def _requirements(arguments: list[str], folder: Path) -> Iterator[str]:
    """The requirements that arguments name, those of requirement files included."""
    rest = iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        if argument in FLAGS or (value and name in WITH_VALUE):
            continue
        if argument in WITH_VALUE:
            next(rest)
        elif argument in ("-r", "--requirement"):
            yield from _requirements_of(folder / next(rest))
        elif argument.startswith("-"):
            sys.exit(f"ERROR: the stand-in for pip does not know {argument}")
        else:
            yield argument


def _requirements_of(file: Path) -> Iterator[str]:
    if not file.is_file():
        sys.exit(f"ERROR: Could not open requirements file: {file}")
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.split(" #")[0].strip()
        if text.startswith("-"):
            yield from _requirements(shlex.split(text), file.parent)
        elif text and not text.startswith("#"):
            yield text


class _Installer:
    """Links distributions, and those that they need, into this environment."""

    def __init__(self) -> None:
        found = importlib.metadata.distributions(path=[SOURCE])
        self.there = {_normal(each.metadata["Name"]): each for each in found}
        self.linked: set[str] = set()

    def install(self, wanted: list[str]) -> set[str]:
        from packaging.requirements import Requirement

        for text in wanted:
            self._install(Requirement(text), {""})
        return self.linked

    def _install(self, requirement, extras: set[str]) -> None:  # type: ignore[no-untyped-def]
        from packaging.requirements import Requirement

        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            return
        found = self.there.get(_normal(requirement.name))
        if found is None or not requirement.specifier.contains(found.version, prereleases=True):
            has = found.version if found else "nothing"
            sys.exit(
                f"ERROR: No matching distribution found for {requirement}: the project's .venv has "
                f"{has}, and this stand-in for pip downloads nothing."
            )
        key = f"{_normal(requirement.name)}[{','.join(sorted(requirement.extras))}]"
        if key in self.linked:
            return
        self.linked.add(key)
        _link(found)
        for line in found.requires or []:
            self._install(Requirement(line), {"", *requirement.extras})


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _link(distribution: importlib.metadata.Distribution) -> None:
    """Link what a distribution has at the top of site-packages, and its commands."""
    for file in distribution.files or []:
        source = Path(str(distribution.locate_file(file)))
        if file.parts[0] == "..":
            if file.parts[-2] == "bin":
                _link_command(source)
        elif file.parts[0] != "__pycache__":
            _link_top(Path(SOURCE), file.parts)


def _link_top(source: Path, parts: tuple[str, ...]) -> None:
    """Link the first part; a namespace that several distributions share becomes a real folder."""
    target = SITE / parts[0]
    if target.exists():
        return
    target.symlink_to(source / parts[0])


def _link_command(source: Path) -> None:
    target = Path(sys.executable).parent / source.name
    if target.exists() or not source.exists():
        return
    with source.open("rb") as file:
        is_python = file.read(2) == b"#!" and b"python" in file.readline()
    if not is_python:
        target.symlink_to(source)
        return
    _, _, code = source.read_text(encoding="utf-8").partition("\n")
    target.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
    target.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
