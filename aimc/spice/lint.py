"""What ngspice forgives silently is checked before it runs: pins, definitions, includes, ground."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from aimc.errors import SpiceError


def statements(text: str) -> Iterator[list[str]]:
    """The statements of a SPICE file in lower case, as words; continuation lines are joined."""
    pending: list[str] = []
    for line in text.splitlines():
        line = line.split("$ ")[0].split(";")[0].strip()
        if not line or line.startswith("*"):
            continue
        if line.startswith("+"):
            pending += line[1:].lower().split()
            continue
        if pending:
            yield pending
        pending = line.lower().split()
    if pending:
        yield pending


DECK = "deck.cir"


def check(files: Mapping[str, str], deck: str = DECK) -> None:
    """Raises SpiceError (reason "syntax" or "nodes") where a deck cannot be what it means.

    Every include is there, and none ends the deck; every subcircuit is defined, and used with as
    many nodes as it has ports; no element of the top level hangs in the air; something is grounded.
    """
    ports: dict[str, int] = {}
    uses: list[tuple[str, str, int]] = []
    ends: Counter[str] = Counter()
    depth = 0
    for words in _all(files, deck):
        nodes: list[str] = []
        if words[0] == ".control":
            break
        if words[0] == ".subckt":
            ports[words[1]] = sum("=" not in word for word in words[2:])
            depth += 1
        elif words[0] == ".ends":
            depth -= 1
        elif words[0][0] == "x":
            *nodes, subckt = (word for word in words[1:] if "=" not in word)
            uses.append((words[0], subckt, len(nodes)))
            nodes *= 2  # an output of an instance may be left alone
        elif words[0][0] in "rcvfi":
            nodes = words[1:3]
        if depth == 0:
            ends.update(nodes)
    for name, subckt, count in uses:
        if subckt not in ports:
            raise SpiceError(f"{name}: subcircuit {subckt} is not defined.", "syntax")
        if count != ports[subckt]:
            raise SpiceError(
                f"{name}: {subckt} has {ports[subckt]} ports, but is given {count} nodes.", "syntax"
            )
    if ends and "0" not in ends:
        raise SpiceError("A circuit must have a node 0, but nothing is grounded.", "nodes")
    for node, count in ends.items():
        if count < 2 and node != "0":
            raise SpiceError(f"Node {node} has one end only: nothing else is there.", "nodes")


def _all(files: Mapping[str, str], name: str) -> Iterator[list[str]]:
    text = files[name].partition("\n")[2] if name == DECK else files[name]
    for words in statements(text):
        if words[0] in (".include", ".inc"):
            path = " ".join(words[1:]).strip("\"'")
            wanted = (PurePosixPath(name).parent / path).as_posix().lower()
            inner = next((file for file in files if file.lower() == wanted), None)
            if inner is None:
                raise SpiceError(f"{name} includes {path}, which is not there.", "syntax")
            for inside in _all(files, inner):
                if inside[0] == ".end":
                    raise SpiceError(
                        f"A file that is included must not end the deck, but {path} has `.end`.",
                        "syntax",
                    )
                yield inside
        else:
            yield words
