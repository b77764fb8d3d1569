"""Where the time of an LSTM step goes: nonlinear operations beside products (Yang et al. 2025,
Fig. 1).
"""

from __future__ import annotations

from typing import Any

from aimc import cards, cost
from aimc.cost.reads import Converter
from aimc.reproduce.table import Row, Table

HIDDEN, PROCESSORS = 512, 32


def bills(cycles: int = 1, processors: int = PROCESSORS, **options: Any) -> dict[str, cost.Bill]:
    """The step with each converter, and so many cycles for a nonlinear operation."""
    hardware = cards.load("taox-1t1r-128").replace(bits=5)
    card = cost.load().replace("look_up", cycles=float(cycles))

    def describe(converter: Converter) -> cost.Layer:
        return cost.layer(
            "lstm", hardware, HIDDEN, HIDDEN, converter=converter, cell_tanh="ramp", tall=True
        )

    return cost.compare(describe, card, processors=processors, **options)


def nonlinear(bill: cost.Bill) -> float:
    """Time of the nonlinear operations over that of the product with its conversion: look-ups, or
    what a ramp of its own takes for the cell state's tanh.
    """
    product = sum(p.latency for p in bill.phases if p.name in ("gates: read", "gates: convert"))
    done = (p for p in bill.phases if p.name == "gates: look up" or p.name.startswith("tanh(c)"))
    return sum(p.latency for p in done) / product


def run(seed: int) -> Table:
    """512 hidden units at 5 bits; nothing is drawn, `seed` is not used."""
    rows = []
    for cycles in (1, 2, 3, 4):
        ratio = nonlinear(bills(cycles)["linear ramp"])
        rows.append(Row(f"look-ups over product, N_cyc = {cycles}", ratio, None, ""))
    for kind, bill in bills(2).items():
        rows.append(Row(f"{kind}: nonlinear over product", nonlinear(bill), None, ""))
        rows.append(Row(f"{kind}: step", bill.latency * 1e9, None, "ns"))
        rows.append(Row(f"{kind}: energy", bill.energy * 1e9, None, "nJ"))
    for processors in (8, 128, 512):
        ratio = nonlinear(bills(2, processors)["linear ramp"])
        rows.append(Row(f"look-ups over product, {processors} processors", ratio, None, ""))
    return Table(
        "bottleneck",
        f"An LSTM step of {HIDDEN} units at 5 bits, {PROCESSORS} processors, 2 cycles an operation "
        "unless said",
        "the caption of Fig. 1, Nat. Commun. 2025, s41467-025-56254-6, says that with 32 "
        "processors nonlinear operations take 2 to 5 times longer, without the cycles it counts",
        tuple(rows),
        {"hidden": HIDDEN, "processors": PROCESSORS, "bits": 5, "costs": cost.load().name},
    )
