"""A circuit as SPICE text: what is written to disk, and what is run, are the same files."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from aimc.errors import ArgumentError, must
from aimc.spice import library, lint, runners
from aimc.spice.dialect import Dialect, typed
from aimc.spice.runners import Runner
from aimc.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimc.spice.raw import Plot


class Plan(ABC):
    """What a deck simulates: how the simulator's plots become a result."""

    @property
    def rawfile(self) -> str | None:
        """The answer that the deck itself writes; None where the simulator is told to."""
        return None

    @abstractmethod
    def result(self, plots: list[Plot]) -> Any:
        """The result of the deck. SpiceError where the plots are not those of the deck."""


@dataclass(frozen=True, eq=False)
class Netlist:
    """A deck with the files it includes. `text` is the deck; the same circuit gives the same text.

    includes: (path relative to the deck, text) of each model file. measures: statements of the
    separate measure deck, which holds this one; none where there is nothing to measure.
    """

    text: str
    dialect: Dialect
    includes: tuple[tuple[str, str], ...]
    measures: tuple[str, ...]
    plan: Plan

    def __post_init__(self) -> None:
        typed(self, text=str, dialect=Dialect, includes=tuple, measures=tuple, plan=Plan)

    def __str__(self) -> str:
        return self.text

    @cached_property
    def files(self) -> dict[str, str]:
        """Every file of a run: the deck and what it includes."""
        return {lint.DECK: self.text, **dict(self.includes)}

    def measure(self, deck: str) -> str:
        """The text of the measure deck of a deck of that file name: the same circuit, and measures.

        It includes no deck: what ends in `.end` ends whatever includes it.
        """
        if not isinstance(deck, str):
            raise must("deck", "be the name of a file", f"is {deck!r}")
        d = self.dialect
        end = d.text(d.write("end"))
        title = d.text([d.note(f"measures of {deck}")])
        return title + self.text.removesuffix(end) + d.text([*self.measures, *d.write("end")])

    def write(self, path: str | Path) -> list[Path]:
        """Writes the deck at `path`, its measure deck beside it, and the models it includes.

        Every file is written whole or not at all. Gives the paths written, the deck first; a model
        file that stands there already as it must is left alone. Raises ArgumentError where a file
        cannot be written.
        """
        if not isinstance(path, str | Path):
            raise _unwritable(path, "is no path", "Name a file.")
        path = Path(path)
        if not path.name:
            raise _unwritable(path, "is a folder", "Name a file in it.")
        texts = {path: self.text}
        if self.measures:
            texts[path.with_name(f"{path.stem}.measure{path.suffix}")] = self.measure(path.name)
        for name, text in self.includes:
            texts[path.parent / name] = text
        for file, text in texts.items():
            write_text(file, text)
        return list(texts)

    def run(self, runner: Runner | None = None) -> Any:
        """Simulates the deck with ngspice and gives its result.

        runner: `Ngspice()` (the program), `NgspiceShared()` (PySpice), or None for what there is.
        Raises SpiceError, whose reason says what failed; ArgumentError for another dialect.
        """
        if not self.dialect.ran:
            raise must(
                "dialect", "be ngspice to be run here", f"is {self.dialect.name}",
                "Write it, and give it to its own simulator.",
            )  # fmt: skip
        if not isinstance(runner, Runner | None):
            raise must("runner", "be a Runner", f"is {runner!r}", "Use run(spice.Ngspice()).")
        lint.check(self.files)
        runner = runner or runners.default()
        return self.plan.result(runner.run(self.files, lint.DECK, self.plan.rawfile))


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all, and makes its folder. ArgumentError where it cannot."""
    try:
        if path.is_dir():
            raise _unwritable(path, "is a folder", "Name a file in it.")
        if path.exists() and not path.is_file():
            # A file that is renamed to it would take its place.
            raise _unwritable(path, "is a device", "Name a file of its own.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_bytes() == text.encode():
            return
        partial = path.with_name(f".{path.name}.partial")
        try:
            partial.write_bytes(text.encode())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _unwritable(path, "finds a full disk", "Free some space there.") from error
        file = next((each for each in path.parents if each.is_file()), None)
        said = f"lies below the file `{file}`" if file else f"is refused: {error.strerror}"
        raise _unwritable(path, said, "Choose a folder that you can write to.") from error


def _unwritable(path: Any, came: str, hint: str) -> ArgumentError:
    return must("path", "be a file that can be written", f"`{path}` {came}", hint)


def models(dialect: Dialect, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The model files of these names, as (path from the deck, text). Raises SpiceError where there
    is no such model."""
    place = PurePosixPath(dialect.models)
    return tuple(
        ((place / f"{name}{dialect.library}").as_posix(), library.model(name, dialect))
        for name in dict.fromkeys(names)
    )


def header(dialect: Dialect, title: str, facts: Sequence[str]) -> list[str]:
    """Title and provenance."""
    status = "" if dialect.ran else " (syntax only, not run)"
    first, *rest = dialect.write("head", title=dialect.note(title))
    made = dialect.note(f"aimc {__version__}, written for {dialect.name}{status}")
    return [first, made, *(dialect.note(fact) for fact in facts), *rest]


def includes(dialect: Dialect, files: Sequence[tuple[str, str]]) -> list[str]:
    """The statements that include `models`."""
    return [line for path, _ in files for line in dialect.write("include", path=path)]
