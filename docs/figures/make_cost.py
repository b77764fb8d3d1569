"""Draws the figures of docs/cost.md: `python docs/figures/make_cost.py`."""

import json
from pathlib import Path

import aimc
from aimc import cost, plots, plots_cost
from aimc.reproduce import bottleneck

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "benchmarks" / "results"


def main() -> None:
    layer = cost.layer("lstm", aimc.load("taox-1t1r-128"), 40, 32, tall=True)
    plots.save(plots_cost.timeline(cost.bill_of(layer)), HERE / "cost-timeline.png")
    bills = bottleneck.bills(cycles=4)
    plots.save(plots_cost.parts(bills), HERE / "cost-bottleneck.png")
    files = sorted(RESULTS.glob("kws-recorded-lstm32-pretrained-*-*bit.json"))
    points = plots_cost.points(json.loads(file.read_text()) for file in files)
    figure = plots_cost.pareto(points, "accuracy on recorded test clips")
    plots.save(figure, HERE / "cost-pareto.png")


if __name__ == "__main__":
    main()
