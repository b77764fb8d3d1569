"""The functions that a converter can apply, and where it places its thresholds.

`CURVES` has those with a name, `Curve` takes any other, `table` points of one. Thresholds are
uniform in the output by default, of least mean square error by `lloyd_max`, or given
(`Curve.placed`).
"""

from aimc.curves.curve import Curve, Placement
from aimc.curves.lloyd import lloyd_max
from aimc.curves.named import CURVES, curve, linear, table

__all__ = ["CURVES", "Curve", "Placement", "curve", "linear", "lloyd_max", "table"]
