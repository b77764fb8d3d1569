"""Where the time of an LSTM step goes: nonlinear operations beside products (Yang et al. 2025,
Fig. 1).
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aimc import cards, cost
from aimc.cost.reads import Converter
from aimc.plots import cost as plots_cost
from aimc.plots.style import BLUE, GREY, ORANGE
from aimc.reproduce.table import Row, Table

HIDDEN, PROCESSORS = 512, 32
PUBLISHED = 2.0, 5.0
"""How much longer than the product nonlinear operations take with 32 processors."""


def bills(cycles: int = 1, processors: int = PROCESSORS, **options: Any) -> dict[str, cost.Bill]:
    """The step with each converter, and so many cycles for a nonlinear operation."""
    hardware = cards.load("taox-1t1r-128").replace(bits=5)
    card = cost.load().replace("look_up", cycles=float(cycles))

    def describe(converter: Converter) -> cost.Layer:
        tall = cost.Usage(tall=True)
        return cost.layer(
            "lstm", hardware, HIDDEN, HIDDEN, converter=converter, cell_tanh="ramp", usage=tall
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
        figure=draw,
    )


def draw() -> Figure:
    """Look-ups over the product as cycles grow, beside the published range; then where time, energy
    and area of a step with four cycles go.
    """
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    first, *panels = figure.subplots(1, 4, width_ratios=(1.25, 1, 1, 1))
    _ratios(first)
    found = bills(4)
    for axes, what in zip(panels, ("latency", "energy", "area"), strict=True):
        plots_cost.stack(axes, found, what)
    panels[1].set_title(f"{HIDDEN} units, {PROCESSORS} processors, 4 cycles", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    return figure


def _ratios(axes: Axes) -> None:
    cycles = (1, 2, 3, 4)
    axes.axhspan(*PUBLISHED, color=GREY, alpha=0.2, lw=0, label="published, cycles not stated")
    for kind, marker, colour in (("linear ramp", "o", BLUE), ("sar", "s", ORANGE)):
        ratio = [nonlinear(bills(n)[kind]) for n in cycles]
        axes.plot(cycles, ratio, marker, ls="-", lw=1.2, ms=5, color=colour, label=kind)
    axes.axhline(1.0, color=GREY, lw=0.8, ls=":")
    axes.set(xlabel="cycles of a look-up", ylabel="look-ups over product", xticks=cycles,
             ylim=(0, 7))  # fmt: skip
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
