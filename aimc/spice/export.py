"""`netlist`: the one door from what is simulated to SPICE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimc.crossbar import Crossbar
from aimc.errors import as_batch, as_count, as_number, must
from aimc.macro import Macro
from aimc.spice import dialects, macro_deck, operating_point
from aimc.spice.cells import cell_of, check, gated

if TYPE_CHECKING:
    from aimc.spice.cells import CellModel
    from aimc.spice.dialect import Dialect
    from aimc.spice.netlist import Netlist


def netlist(
    circuit: Macro | Crossbar,
    x: Any,
    *,
    analysis: str | None = None,
    gain: float | None = None,
    delay: float = 0.0,
    cell: CellModel | None = None,
    dialect: str | Dialect = "ngspice",
    seed: int | None = None,
) -> Netlist:
    """`circuit` as a SPICE netlist, whose `run()` simulates it and whose `write(path)` writes it.

    A Macro with activations x (batch, rows) or (rows,) gives a transient ("tran") of whole
    conversions, one after the other: its result is a `Conversion`. A Crossbar with row voltages
    x [V] gives operating points ("op"), and an `OperatingPoint`; so does a Macro with
    analysis="op": its array at the voltages of its drivers.

    gain: of the integrators' amplifiers; None is ideal. delay: of the comparators [s], 0 or a
    hundredth of the ramp's step to four of them. cell: a model of the library for the array's
    cells, in place of what the crossbar computes with. dialect: a name, or a dialect `including`
    another folder of models. seed goes into the header. Raises ArgumentError on a wrong shape, NaN,
    an analysis that the circuit does not have, or parameters that the cell does not have.
    """
    written = dialects.named(dialect)
    if not isinstance(circuit, Macro | Crossbar):
        raise must("circuit", "be a Macro or a Crossbar", f"is {type(circuit).__name__}")
    macro = circuit if isinstance(circuit, Macro) else None
    crossbar = circuit.crossbar if isinstance(circuit, Macro) else circuit
    allowed = ("op",) if macro is None else ("tran", "op")
    analysis = allowed[0] if analysis is None else analysis
    if not isinstance(analysis, str) or analysis not in allowed:
        raise must("analysis", f"be {' or '.join(allowed)}", f"is {analysis!r}")
    if seed is not None:
        as_count("seed", seed, 0)
    if gain is not None:
        as_number("gain", gain, above=1)
    as_number("delay", delay, minimum=0)
    if cell is not None:
        check(cell, crossbar.g)
    cell = cell or cell_of(crossbar.iv)
    if crossbar.wires.idle == "gated":
        cell = gated(cell)
    x = as_batch("x", x, crossbar.g.shape[0] if macro is None else macro.shape[0])
    if not len(x):
        raise must("x", "not be empty", f"has shape {x.shape}")
    facts = _facts(macro, seed)
    if macro is not None and analysis == "tran":
        return macro_deck.deck(macro, x, written, facts, gain, delay, cell)
    if gain is not None or delay:
        name = "delay" if gain is None else "gain"
        raise must(name, "be left out", "an operating point has no integrators")
    v = x if macro is None else macro.hardware.driver.drive(x)
    return operating_point.deck(crossbar, v, written, facts, cell)


def _facts(macro: Macro | None, seed: int | None) -> list[str]:
    """Where the circuit comes from: the card, the digest of its numbers, the seed."""
    facts = [] if seed is None else [f"seed {seed}"]
    if macro is None:
        return facts
    from aimc import cards

    name = " ".join(macro.hardware.name.split()) or "unnamed"
    return [f"card {name}, sha256 of its numbers:", cards.digest(macro.hardware), *facts]
