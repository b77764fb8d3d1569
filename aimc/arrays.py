"""What arrays and generators are called where types are written."""

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "ArrayLike", "Codes", "Generator", "NDArray"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
