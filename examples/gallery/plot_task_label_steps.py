"""
A class for every step: who rests, who walks, who runs?
=======================================================

The data: a CSV file, a row per step. Its column ``activity`` changes within a sequence,
so there is an answer at every step. The command:

.. code-block:: console

   $ throughtime train steps.csv --sequence person --time second --target activity
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

import throughtime as tt

# %%
# The file. A sensor at the hip swings with every pace, faster and wider when running,
# eight times a second. No single row tells what its person does.

random = np.random.default_rng(0)
activities = np.array(["rest", "walk", "run"])
hertz, reach = np.array([0.3, 1.0, 1.6]), np.array([0.1, 0.5, 0.8])


def person(number: int, steps: int = 160) -> pl.DataFrame:
    """Give one person's rows; who does what for some seconds is drawn."""
    doing = np.repeat(random.integers(0, 3, 8), random.integers(12, 40, 8))[:steps]
    phase = 2 * np.pi * np.cumsum(hertz[doing]) / 8 + random.uniform(0, 6)
    noise = random.normal(0, 0.15, (2, len(doing)))
    return pl.DataFrame(
        {
            "person": number,
            "second": np.arange(len(doing)) / 8,
            "up": (reach[doing] * np.sin(phase) + noise[0]).round(3),
            "forward": (reach[doing] * np.cos(phase) + noise[1]).round(3),
            "activity": activities[doing],
        }
    )


folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "steps.csv"
pl.concat([person(number) for number in range(100)]).write_csv(file)

# %%
# ``quiet=False`` would say it before training: ten persons are for the test, and no row
# of theirs is seen before.

columns = {"sequence": "person", "time": "second", "target": "activity"}
print(tt.data.describe_data(tt.data.read(file, tt.data.Reading(**columns))))

# %%

run = tt.fit(
    tt.cells.LSTM(),
    file,
    **columns,
    hidden_size=32,
    epochs=12,
    threads=1,
    out=f"{folder.name}/run",
)
(found,) = tt.train.judge(run)
print("\n".join(found.lines()[:4]))
print("without a network:", run.baselines())

# %%
# One person of the test part. ``run.predicted`` has all answers beside the truth, by
# sequence and step. The network waits for a swing or two before it changes its mind: it
# reads from left to right. With ``bidirectional=True`` it would know what comes.

answers = run.predicted("test")
one = answers.sequences == answers.sequences[0]
labels = run.model.labels
motion = run.dataset.frames.read(int(answers.sequences[0]), 0, one.sum())
seconds = np.arange(one.sum()) / 8

figure, (above, below) = plt.subplots(
    2, 1, figsize=(9, 4), sharex=True, layout="constrained", height_ratios=[2, 3]
)
above.plot(seconds, motion[:, 0], color="#6b7280", linewidth=1)
above.set(ylabel="up", title="What the sensor says, and what the network makes of it")
colours = dict(zip(labels, ["#8aa4c8", "#c2410c", "#1f3b70"], strict=True))
below.stackplot(
    seconds, answers.outputs[one].T, colors=colours.values(), labels=labels, alpha=0.75
)
for place, colour in enumerate(colours.values()):
    true = answers.targets[one] == place
    below.fill_between(seconds, 1.03, 1.12, where=true, color=colour, step="mid")
below.set(xlabel="second", ylabel="probability", ylim=(0, 1.13), xlim=(0, seconds[-1]))
below.text(seconds[-1] * 1.005, 1.075, "truth", va="center", fontsize=9)
figure.legend(loc="outside lower center", ncols=3, frameon=False)
for axes in (above, below):
    axes.spines[["top", "right"]].set_visible(False)
folder.cleanup()
