import numpy as np                                   # 3. run an RNN benchmark
import aimc
from aimc import cost, nn, tasks

task = tasks.KeywordSpotting()                       # data, split, metric; embedded default, or a Speech Commands folder
model = task.train(task.model("lstm", hidden=32), seed=0)
for card in ("ideal-5bit", "taox-1t1r-128"):
    chips = [nn.program(model, aimc.load(card), np.random.default_rng(seed)) for seed in range(10)]
    accuracy = [task.accuracy(chip) for chip in chips]
    print(f"{card:16} {np.mean(accuracy):6.1%} +- {np.std(accuracy):.1%}   {cost.bill(nn.macros(chips[0])).energy:.2e} J per step")
