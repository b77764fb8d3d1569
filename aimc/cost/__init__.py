"""What it costs: energy, area and latency by component, from the macro that is simulated.

`bill(macro)` for a read, `bill(chip, steps=51)` for an inference of a programmed model, `bill_of`
for layers that are only described, `compare` for the same layers with other converters. A cost card
holds what an element of each component takes, with its source. `watch` adds up what a model's
arrays spend on the data it sees.
"""

from aimc.cost.bill import Bill, Part, Phase
from aimc.cost.card import CostCard, Element, load
from aimc.cost.model import bill, bill_of, compare
from aimc.cost.reads import Usage
from aimc.cost.stages import (
    Conversion,
    Description,
    ElementWise,
    Layer,
    LookUp,
    OnArrays,
    Reads,
    layer,
)
from aimc.cost.watch import watch

__all__ = [
    "Bill",
    "Conversion",
    "CostCard",
    "Description",
    "Element",
    "ElementWise",
    "Layer",
    "LookUp",
    "OnArrays",
    "Part",
    "Phase",
    "Reads",
    "Usage",
    "bill",
    "bill_of",
    "compare",
    "layer",
    "load",
    "watch",
]
