"""What it costs: energy, area and latency by component, from the macro that is simulated.

`bill(macro)` for a read, `bill(chip, steps=51)` for an inference of a programmed model, `bill_of`
for layers that are only described, `compare` for the same layers with other converters. A cost card
holds what an element of each component takes, with its source. `watch` adds up what a model's
arrays spend on the data it sees.
"""

from aimc.cost.bill import Bill as Bill
from aimc.cost.bill import Part as Part
from aimc.cost.bill import Phase as Phase
from aimc.cost.card import CostCard as CostCard
from aimc.cost.card import Element as Element
from aimc.cost.card import load as load
from aimc.cost.model import bill as bill
from aimc.cost.model import bill_of as bill_of
from aimc.cost.model import compare as compare
from aimc.cost.reads import Usage as Usage
from aimc.cost.stages import Conversion as Conversion
from aimc.cost.stages import Description as Description
from aimc.cost.stages import ElementWise as ElementWise
from aimc.cost.stages import Layer as Layer
from aimc.cost.stages import LookUp as LookUp
from aimc.cost.stages import OnArrays as OnArrays
from aimc.cost.stages import Reads as Reads
from aimc.cost.stages import layer as layer
from aimc.cost.watch import watch as watch
