import numpy as np                                   # 2. export a netlist and check it with ngspice
import aimc
from aimc import spice

hardware = aimc.load("taox-1t1r-128").replace(rows=8, cols=4)
rng = np.random.default_rng(7)
macro = hardware.program(rng.normal(size=(8, 4)), rng, curve="sigmoid")
x = rng.uniform(-1, 1, size=8)
netlist = spice.netlist(macro, x)
netlist.write("macro.cir")
print(spice.compare(macro.trace(x, rng), netlist.run()))
