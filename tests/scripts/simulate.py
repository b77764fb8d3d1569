import numpy as np                                   # 1. simulate an array
import aimc

hardware = aimc.load("taox-1t1r-128")                # circuits/hardware/taox-1t1r-128.toml
rng = np.random.default_rng(7)
w = rng.normal(0, 0.3, size=(128, 64))
x = rng.uniform(-1, 1, size=(1000, 128))

macro = hardware.program(w, rng, curve="tanh")       # writes the cells and the ramp column, once
trace = macro.trace(x, rng)
error = trace.y - np.tanh(x @ w)
print(macro)                                         # what was built, as a table
print(f"rms error {np.sqrt(np.mean(error**2)) / macro.lsb:.2f} LSB")
