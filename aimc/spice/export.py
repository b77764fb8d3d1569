"""`netlist`: the one door from what is simulated to SPICE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimc.crossbar import Crossbar
from aimc.errors import as_batch, must
from aimc.macro import Macro
from aimc.spice import dialects, operating_point

if TYPE_CHECKING:
    from aimc.spice.dialects import Dialect
    from aimc.spice.netlist import Netlist


def netlist(
    circuit: Macro | Crossbar,
    x: Any,
    *,
    analysis: str | None = None,
    dialect: str | Dialect = "ngspice",
    seed: int | None = None,
    models: str = "models",
) -> Netlist:
    """`circuit` as a SPICE netlist.

    A Crossbar gives operating points, one for each row of voltages x (batch, rows) or (rows,) [V].
    seed goes into the header; models is the folder of the model files, relative to the deck.
    """
    written = dialects.dialect(dialect)
    if not isinstance(circuit, Macro | Crossbar):
        raise must("circuit", "be a Macro or a Crossbar", f"is {type(circuit).__name__}")
    facts = [] if seed is None else [f"seed {seed}"]
    rows = circuit.g.shape[0] if isinstance(circuit, Crossbar) else circuit.shape[0]
    x = as_batch("x", x, rows)
    if not len(x):
        raise must("x", "not be empty", f"has shape {x.shape}")
    if isinstance(circuit, Macro):
        v, circuit = circuit.hardware.driver.drive(x), circuit.crossbar
    else:
        v = x
    return operating_point.deck(circuit, v, written, facts, models)
