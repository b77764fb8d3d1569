"""Reads what ngspice prints. Its exit status is 0 for many a failure, so the log decides."""

from __future__ import annotations

import re
from itertools import takewhile

from aimc.errors import SpiceError

# In the order in which they are looked for: what comes first explains what follows.
_FAULTS: tuple[tuple[str, str, str], ...] = (
    ("syntax", r"undefined parameter|cannot compute substitute|expression err|formula\(\) error",
     "a parameter or an expression is not defined"),
    ("syntax", r"n_global_nodes overflow",
     "a subcircuit has more ports than it takes, about a thousand; a ramp of 10 bits has so many"),
    ("syntax", r"error on line", "the simulator does not take a line of it"),
    ("syntax", r"unusual leading characters|unknown (?:subckt|model|device)|"
               r"too (?:few|many) parameters for subcircuit|"
               r"could not find (?:a valid modelname|include file|library)|"
               r"syntax error|circuit not parsed|aren't any circuits|"
               r"unable to find definition|not enough nodes|unknown parameter",
     "the simulator does not take a line of it"),
    ("nodes", r"no data saved for", "no vector that is to be kept is in the circuit"),
    ("singular", r"singular matrix|no dc path|voltage source loop",
     "a node has no path to ground, or voltage sources form a loop"),
    ("convergence", r"timestep too small|doanalyses: .*(?:failed|iteration limit)|"
                    r"dc solution failed|no convergence|run simulation\(s\) aborted",
     "it did not converge"),
    ("rescued", r"gmin stepping|source stepping|transient op started",
     "the operating point was found by gmin or source stepping only, and is not exact"),
    ("nodes", r"no such vector|vector .* not found|can't save|no such node",
     "a vector that is to be kept is not in the circuit"),
)  # fmt: skip
_HARMLESS = re.compile(
    r"no compatibility mode|spinit|init\.?file|no graphics|\.plot.*\.print.*no simulations run|"
    r"no resource usage|unsupported ngspice version",
    re.IGNORECASE,
)
_WARNING = re.compile(r"^.*\b(?:warning|error)\b.*$", re.IGNORECASE | re.MULTILINE)


def check(log: str) -> None:
    """Raises SpiceError where the log tells of a fault, a convergence rescue or a warning."""
    lines = [line for line in log.splitlines() if line.strip() and not _HARMLESS.search(line)]
    text = "\n".join(lines)
    for reason, pattern, meaning in _FAULTS:
        found = re.search(rf"^.*(?:{pattern}).*$", text, re.IGNORECASE | re.MULTILINE)
        if found:
            said = _said(text, found)
            raise SpiceError(f"ngspice failed: {meaning}. It says: {said}", reason, log)
    found = _WARNING.search(text)
    if found:
        raise SpiceError(f"ngspice warns: {_said(text, found)}", "warning", log)


def _said(text: str, found: re.Match[str]) -> str:
    """The line that was found, and the indented ones after it, which say where."""
    following = text[found.end() :].splitlines()[1:]
    more = takewhile(lambda line: line[0] in " \t", following)
    said = " ".join(" ".join([found[0], *more]).split())
    return said if len(said) <= 240 else said[:237] + "..."
