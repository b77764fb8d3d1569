"""What a read costs: energy, area and latency, component by component, from sourced constants.

`bill(macro)` or `bill(nn.macros(model))`. Digital logic between the arrays is not in it.
"""

from aimc.cost.bill import Bill, Part, bill
from aimc.cost.constants import Constants, load

__all__ = ["Bill", "Constants", "Part", "bill", "load"]
