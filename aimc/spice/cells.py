"""Which subcircuit stands for a cell: one of the model library, or one composed of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import SpiceError, as_number, must
from aimc.parts.ivcurve import Cubic, Sinh, Tabulated
from aimc.parts.transistor import SeriesTransistor, Transistor
from aimc.spice import library
from aimc.spice.dialect import number, typed
from aimc.spice.dialects import DIALECTS
from aimc.spice.lint import statements

if TYPE_CHECKING:
    from aimc.arrays import NDArray
    from aimc.parts.ivcurve import IVCurve
    from aimc.spice.dialect import Dialect

Params = dict[str, float | str]


def _nothing(dialect: Dialect) -> list[str]:
    return []


def _linear(g: float, i: int, j: int) -> Params:
    return {"g": g}


@dataclass(frozen=True)
class CellModel:
    """A subcircuit as a cell: its first node is the row's, its second the column's.

    subckt: its name. params(g, i, j): the parameters of the cell of conductance g [S] in row i,
    column j. linear: whether i is proportional to v, so that ngspice needs no iteration. models:
    files of the library that it needs; None: the one of its own name. define(dialect): lines of a
    deck that define it, where the library does not. It is passive: no current flows against its
    voltage.
    """

    subckt: str
    params: Callable[[float, int, int], Params]
    linear: bool = False
    models: tuple[str, ...] | None = None
    define: Callable[[Dialect], list[str]] = _nothing

    def __post_init__(self) -> None:
        typed(self, subckt=str, params=Callable, models=tuple | None, define=Callable, linear=bool)

    @property
    def includes(self) -> tuple[str, ...]:
        """Files of the library that a deck with such cells includes."""
        return (self.subckt,) if self.models is None else self.models


LINEAR = CellModel("cell_linear", _linear, linear=True)
# A third node turns it on: the transistors of an idle row are off.
GATED = CellModel("cell_gated", _linear)


def states(cell: CellModel, g: NDArray[np.float64]) -> dict[str, float]:
    """Where the states of an array's cells start, by their nodes within the array.

    Raises ArgumentError where a start is no number.
    """
    text = _definition(cell)
    nodes = _states(text, cell.subckt.lower())
    if not nodes:
        return {}
    found: dict[str, float] = {}
    defaults = _defaults(text, cell) or {}
    for i, j in np.argwhere(g > 0).tolist():
        known = defaults | cell.params(float(g[i, j]), i, j)
        for node, start in nodes.items():
            value = known.get(start, start)
            try:
                found[f"xcell{i}_{j}.{node}"] = float(value)
            except ValueError as error:
                raise must("cell", f"give a number for {start}, where its state starts",
                           f"gives {value!r}") from error  # fmt: skip
    return found


def _states(text: str, subckt: str) -> dict[str, str]:
    """Nodes of a subcircuit, and of those within it, that start at a parameter, and which."""
    found: dict[str, str] = {}
    inside = False
    for words in statements(text):
        if words[0] == ".subckt":
            inside = words[1] == subckt
        elif inside and words[0] == ".ic":
            node, _, start = words[1].removeprefix("v(").partition(")=")
            found[node] = start.strip("{}")
        elif inside and words[0][0] == "x":
            inner = [word for word in words if "=" not in word][-1]
            found |= {f"{words[0]}.{node}": p for node, p in _states(text, inner).items()}
    return found


def _defaults(text: str, cell: CellModel) -> dict[str, str] | None:
    """The parameters of a cell's subcircuit, None where there is no such subcircuit."""
    for words in statements(text):
        if words[:2] == [".subckt", cell.subckt.lower()]:
            return dict(word.split("=", 1) for word in words if "=" in word)
    return None


def _definition(cell: CellModel) -> str:
    """What defines a cell, in ngspice's words."""
    return "\n".join([*cell.define(DIALECTS["ngspice"]), *map(library.model, cell.includes)])


def check(cell: CellModel, g: NDArray[np.float64]) -> None:
    """Raises ArgumentError where a cell of one's own has no parameter of the model's, another, or
    leaves its conductance out, and SpiceError (reason "missing") where there is no such model.
    """
    if not isinstance(cell, CellModel):
        raise must("cell", "be a CellModel", f"is {cell!r}")
    text = _definition(cell)
    defaults = _defaults(text, cell)
    if defaults is None:
        raise SpiceError(f"There is no subcircuit {cell.subckt} in what the cell needs.", "missing")
    known = set(defaults)
    for i, j in np.argwhere(g > 0):
        params = cell.params(float(g[i, j]), int(i), int(j))
        named = set(params) if isinstance(params, dict) else None
        if named is None or not named <= known or ("g" in known - named) or (known and not named):
            rule = f"give parameters of {cell.subckt}: {', '.join(sorted(known)) or 'none'}"
            rule += ", g among them" if "g" in known else ""
            raise must("cell", rule, f"gives {params!r} for cell ({i}, {j})")
        for name, value in params.items():
            if not isinstance(value, str):
                as_number(f"cell: {name}", value)


def cell_of(iv: IVCurve | None) -> CellModel:
    """The cell model of a current-voltage curve; None is a linear cell.

    Raises SpiceError (reason "missing") for a curve that has no model.
    """
    match iv:
        case None:
            return LINEAR
        case Sinh():
            return CellModel("cell_sinh", lambda g, i, j: {"g": g, "a": iv.a})
        case Cubic():
            return CellModel("cell_cubic", lambda g, i, j: _cubic(iv, g))
        case Tabulated():
            return CellModel("cell_tabulated", _linear, False, (), lambda d: _tabulated(iv, d))
        case SeriesTransistor(r_on=0):
            return cell_of(iv.cell)
        case SeriesTransistor():
            cell = cell_of(iv.cell)
            return _composed(cell, "resistor", cell.linear, (), lambda d, x: [
                *x("p", "m"), *d.write("resistor", name="r1", a="m", b="n", ohm=iv.r_on),
            ])  # fmt: skip
        case Transistor():
            law: Params = {"k": iv.k, "v_gate": iv.v_gate, "v_th": iv.v_th, "clm": iv.clm}
            return _composed(cell_of(iv.cell), "transistor", False, ("transistor",), lambda d, x: [
                *x("p", "m"), *d.instance("xtransistor", ("m", "n"), "transistor", law),
            ])  # fmt: skip
    raise no_model(
        f"cells with {iv!r}", "Give one: netlist(..., cell=spice.CellModel(name, params))."
    )


def no_model(what: str, hint: str = "") -> SpiceError:
    """The error for what has no model in the library, to be raised by the caller."""
    return SpiceError(f"There is no SPICE model of {what}. {hint}".rstrip(), "missing")


def gated(cell: CellModel) -> CellModel:
    """`cell` where the third node, on, is at 1 V; no current where it is at 0 V.

    The cell stands on a copy of its column's node, under v(on) times the voltage, and its current
    is mirrored.
    """
    if cell == LINEAR:
        return GATED
    return _composed(
        cell, "gated", False, (),
        lambda d, x: [
            *d.write("controlled e", name="e1", a="b", b="0", p="n", n="0", gain="1"),
            *d.behaviour("b1", "a", "b", "v", "v(on) * v(p,n)"),
            *x("a", "m"),
            *d.write("voltage", name="vsense", a="m", b="b", dc=0.0),
            *d.write("current copy", name="f1", a="p", b="n", sense="vsense", gain=1.0),
        ],
        ("p", "n", "on"),
    )  # fmt: skip


def _composed(
    cell: CellModel, kind: str, linear: bool, models: tuple[str, ...],
    body: Callable[[Dialect, Callable[[str, str], list[str]]], list[str]],
    ports: Sequence[str] = ("p", "n"),
) -> CellModel:  # fmt: skip
    """A subcircuit around `cell`, with its parameters. body(dialect, x): its elements, where
    x(a, b) is the cell between two nodes.
    """
    name = f"{cell.subckt}_{kind}"

    def define(d: Dialect) -> list[str]:
        params = cell.params(1e-6, 0, 0)
        defaults = {k: v if isinstance(v, str) else number(v) for k, v in params.items()}
        inner = {k: d.value(k) for k in params}

        def x(a: str, b: str) -> list[str]:
            return d.instance("xcell", (a, b), cell.subckt, inner)

        ends = d.write("ends", name=name)
        return [*cell.define(d), *d.subckt(name, ports, defaults), *body(d, x), *ends]

    return CellModel(name, cell.params, linear, (*cell.includes, *models), define)


def _cubic(iv: Cubic, g: float) -> Params:
    """n2 and n3 of i = g u + n2 u^2 + n3 u^3, read off the curve itself at +-h."""
    h = 1e-3
    up, down = (float(np.asarray(iv.evaluate([g], [u])[0]).item()) for u in (h, -h))
    return {"g": g, "n2": (up + down) / (2 * h**2), "n3": ((up - down) / (2 * h) - g) / h**2}


def _tabulated(iv: Tabulated, d: Dialect) -> list[str]:
    """The very cubic pieces of the curve of unit slope, straight lines beyond its ends.

    Each piece is written about the knot that is nearer to 0 V, and found by halving the knots.
    """
    knots = sorted({*iv.voltage, 0.0})
    values, slopes = (part.tolist() for part in iv.evaluate([1.0], knots))

    def piece(near: int, far: int | None) -> str:
        v = f"(v(p,n) - ({number(knots[near])}))" if knots[near] else "v(p,n)"
        if far is None:
            rest = number(slopes[near])
        else:
            h = knots[far] - knots[near]
            secant = (values[far] - values[near]) / h
            c2 = (3 * secant - 2 * slopes[near] - slopes[far]) / h
            c3 = (slopes[near] + slopes[far] - 2 * secant) / h**2
            rest = f"({number(slopes[near])} + {v} * (({number(c2)}) + {v} * ({number(c3)})))"
        return f"({number(values[near])}) + {v} * {rest}" if values[near] else f"{v} * {rest}"

    pieces = [piece(0, None)]
    for k in range(len(knots) - 1):
        pieces.append(piece(k, k + 1) if knots[k] >= 0 else piece(k + 1, k))
    pieces.append(piece(len(knots) - 1, None))

    def choose(low: int, high: int) -> str:
        """Of pieces low to high - 1; knot k divides pieces k and k + 1."""
        if high - low == 1:
            return pieces[low]
        middle = (low + high) // 2
        below = f"v(p,n) < {number(knots[middle - 1])}"
        yes, no = choose(low, middle), choose(middle, high)
        return d.phrase("choice", condition=below, yes=yes, no=no)

    return [
        d.note("a measured curve: cubic pieces between its knots, of slope 1 at 0 v"),
        *d.subckt("cell_tabulated", ("p", "n"), {"g": "1e-06"}),
        *d.behaviour("b1", "p", "n", "i", f"{{g}} * ({choose(0, len(pieces))})"),
        *d.write("ends", name="cell_tabulated"),
    ]
