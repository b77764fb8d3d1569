"""Draws the figures of docs/cost.md: `python docs/figures/make_cost.py`."""

import json
from pathlib import Path

import aimc
from aimc import cost, plots, reproduce
from aimc.plots import cost as plots_cost

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "benchmarks" / "results"


def main() -> None:
    hardware = aimc.load("taox-1t1r-128")
    layer = cost.layer("lstm", hardware, 40, 32, usage=cost.Usage(tall=True), cell_tanh="ramp")
    plots.save(plots_cost.timeline(cost.bill_of(layer)), HERE / "cost-timeline.png")
    for name in ("bottleneck", "table1"):
        plots.save(reproduce.run(name).draw(), HERE / f"cost-{name}.png")
    files = sorted(RESULTS.glob("kws-lstm32-pretrained-*-*bit-aware.json"))
    points = plots_cost.points(json.loads(file.read_text()) for file in files)
    figure = plots_cost.pareto(points, "accuracy on recorded test clips")
    plots.save(figure, HERE / "cost-pareto.png")


if __name__ == "__main__":
    main()
