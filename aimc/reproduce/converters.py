"""A ramp beside a one-step and a successive-approximation converter (ReADC, 2025)."""

from __future__ import annotations

from aimc import cards, cost
from aimc.reproduce.table import Row, Table

COLUMNS = 128
_PARTS = {
    "ramp": "comparators and counters",
    "one-step": "one-step converters",
    "sar": "SAR converters",
}
EXPECTED = {"ramp": (32.0, 42.82, None), "one-step": (0.66, 1.61, 777.28), "sar": (None,) * 3}


def run(seed: int) -> Table:
    """One conversion of the 128 columns of an array at 5 bits; nothing is drawn, `seed` is not
    used."""
    hardware = cards.load("taox-1t1r-128").replace(bits=5, cols=COLUMNS)
    rows, found = [], {}
    for kind, (time, energy, area) in EXPECTED.items():
        tall = cost.Usage(tall=True)
        layer = cost.layer("rnn", hardware, 1, COLUMNS, converter=kind, usage=tall)  # pyright: ignore
        part = cost.bill_of(layer).part(_PARTS[kind])
        found[kind] = part
        rows += [
            Row(f"{kind}: time", part.latency * 1e9, time, "ns"),
            Row(f"{kind}: energy", part.energy * 1e12, energy, "pJ"),
            Row(f"{kind}: area", part.area * 1e12, area, "um2"),
        ]
    ramp, one = found["ramp"], found["one-step"]
    rows += [
        Row("ramp over one-step: time", ramp.latency / one.latency, 32 / 0.66, ""),
        Row("ramp over one-step: energy", ramp.energy / one.energy, 42.82 / 1.61, ""),
    ]
    return Table(
        "converters",
        f"Conversion of {COLUMNS} columns at 5 bits",
        "published, Nat. Commun. 2025, s41467-025-65233-w, which quotes the ramp's from s41467-025-"
        "56254-6. The ramp's energy a column and period is taken from there, so its row checks "
        "only the count; the one-step converter's are the card's single conversion, counted",
        tuple(rows),
        {"columns": COLUMNS, "bits": 5, "costs": cost.load().name},
        notes=(
            "a SAR of the card serves 128 columns in turn, at 1200 um2 whatever the bits; its time "
            "is linear in the bits as its power is, so that its energy is quadratic",
        ),
    )
