"""Two ways to ngspice, fed the same files: the program, and the shared library of PySpice.

Each run has a process and a folder of its own, both gone when it ends: nothing that one run does
can reach the next, no memory is left, and a run beyond its time limit is ended. Where this
process is killed itself, whatever the signal, a shell that watches it ends the run and removes the
folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aimc.errors import SpiceError, as_number, must
from aimc.spice import log, raw
from aimc.spice.dialect import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aimc.spice.raw import Plot

INSTALL = "sudo apt-get install ngspice (Debian, Ubuntu), brew install ngspice (macOS)"


@dataclass(frozen=True)
class Runner(ABC):
    """timeout: seconds that one run may take."""

    timeout: float = 600.0

    def __post_init__(self) -> None:
        as_number("timeout", self.timeout, above=0)

    @abstractmethod
    def command(self, deck: str, rawfile: str | None) -> list[str]:
        """The process to start in the deck's folder. rawfile: what it is to write, where the deck
        itself does not write one. SpiceError (reason "missing") where there is no simulator.
        """

    def run(self, files: Mapping[str, str], deck: str, rawfile: str | None = None) -> list[Plot]:
        """Simulates `deck`, one of `files` (relative path -> text), and gives its plots.

        rawfile: what the deck itself writes. Raises SpiceError, whose reason says what failed.
        """
        if not isinstance(files, Mapping) or not all(isinstance(t, str) for t in files.values()):
            raise must("files", "be texts by their paths", f"is {files!r}")
        if not isinstance(deck, str) or deck not in files:
            raise must("deck", "be one of the files", f"is {deck!r}")
        if not isinstance(rawfile, str | None):
            raise must("rawfile", "be the name of a file, or None", f"is {rawfile!r}")
        with tempfile.TemporaryDirectory(prefix="aimc-spice-") as name:
            # Some levels down, so that a deck may keep its models in "../models".
            root = Path(name).resolve()
            folder = root / "a" / "b" / "deck"
            for path, text in files.items():
                place = (folder / path).resolve()
                if not place.is_relative_to(root):
                    raise must("files", "lie near the deck", f"have {path!r}")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
            command = self.command(deck, None if rawfile else "out.raw")
            printed, status = self._process(command, folder, root)
            if status < 0:
                raise _killed(status, printed)
            log.check(printed)
            answer = folder / (rawfile or "out.raw")
            if status != 0 or not answer.is_file():
                said = (printed.strip().splitlines() or ["nothing"])[-1][:160]
                raise SpiceError(
                    f"ngspice must write its answer, but ended with status {status}. Its last "
                    f"words: {said}", "failed", printed,
                )  # fmt: skip
            return raw.read(answer)

    def _process(self, command: Sequence[str], folder: Path, root: Path) -> tuple[str, int]:
        """What a process printed, and its exit status. It never outlives this call."""
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=_environment(folder), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            came = f"{command[0]} cannot be started ({error.strerror}): {INSTALL}"
            raise _missing("ngspice", came) from error
        try:
            _limit(process.pid, self.timeout)
            with _watched(process.pid, root):
                out, _ = process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired as error:
            raise SpiceError(
                f"ngspice must answer within {self.timeout:g} s, but did not. Simulate a smaller "
                f"circuit, or give more time: run({type(self).__name__}(timeout=...)).",
                "timeout",
            ) from error
        finally:
            if process.poll() is None:
                _kill(process)
        return out.decode("utf-8", "replace"), process.returncode


# Reads the end of its input only where the process that holds the other end is gone.
_WATCH = 'read -r _ || { kill -s KILL -- "-$0"; rm -rf -- "$1"; }'


@contextlib.contextmanager
def _watched(pid: int, root: Path) -> Iterator[None]:
    """Meanwhile, should this process die, process group `pid` is ended and `root` removed."""
    shell = shutil.which("sh") if os.name == "posix" else None
    if shell is None:
        yield
        return
    with subprocess.Popen(
        [shell, "-c", _WATCH, str(pid), str(root)], stdin=subprocess.PIPE, cwd=os.sep,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as watch:  # fmt: skip
        try:
            yield
        finally:
            with contextlib.suppress(BrokenPipeError):
                watch.communicate(b"\n")


def _environment(folder: Path) -> dict[str, str]:
    """No .spiceinit of the user has a say; the worker imports what this process does."""
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return {**os.environ, "HOME": str(folder), "PYTHONPATH": paths}


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()


def _killed(status: int, printed: str) -> SpiceError:
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return SpiceError(
        f"ngspice must end by itself, but was ended by {name}. Where memory was short, "
        "simulate a smaller circuit.",
        "killed",
        printed,
    )


def _missing(what: str, came: str) -> SpiceError:
    return SpiceError(f"{what} must be installed, but {came}.", "missing")


def _limit(pid: int, timeout: float) -> None:
    """Ends the process by processor time too, should this one die before it can."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import resource

        seconds = int(timeout) + 5
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds + 5))


@dataclass(frozen=True)
class Ngspice(Runner):
    """The program `ngspice`. program: its name on the path, or a path of its own."""

    program: str | Path = "ngspice"

    def __post_init__(self) -> None:
        super().__post_init__()
        typed(self, program=str | Path)

    def command(self, deck: str, rawfile: str | None) -> list[str]:
        found = shutil.which(self.program)
        if found is None:
            raise _missing("ngspice", f"there is no program {str(self.program)!r}: {INSTALL}")
        return [found, "-n", "-b", *(["-r", rawfile] if rawfile else []), deck]


@dataclass(frozen=True)
class NgspiceShared(Runner):
    """ngspice as a shared library, through PySpice, in a process of its own.

    library: file of the library; None looks for the usual names.
    """

    library: str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        typed(self, library=str | Path | None)

    def command(self, deck: str, rawfile: str | None) -> list[str]:
        if importlib.util.find_spec("PySpice") is None:
            came = "is not, and ngspice's shared library needs it: pip install 'aimc[spice]'"
            raise _missing("PySpice", f"{came}. The program alone does as well: run(Ngspice())")
        library = self.library or _library()
        if library is None:
            raise _missing("ngspice's shared library", "was not found: sudo apt-get install "
                           "libngspice0 (Debian, Ubuntu), brew install libngspice (macOS), or give "
                           "its file: NgspiceShared(library=...)")  # fmt: skip
        # -P: this folder's modules must not stand in for those of the standard library.
        worker = str(Path(__file__).with_name("worker.py"))
        return [sys.executable, "-P", "-W", "ignore", worker, str(library), deck, rawfile or ""]


def _library() -> str | None:
    import ctypes.util

    return os.environ.get("NGSPICE_LIBRARY_PATH") or ctypes.util.find_library("ngspice")


def default() -> Runner:
    """The program where there is one, else the shared library where that is installed."""
    if shutil.which("ngspice") is None and importlib.util.find_spec("PySpice") and _library():
        return NgspiceShared()
    return Ngspice()
