"""
What do the gates of an LSTM do?
================================

``return_all=True`` gives every named value of the step, at every step: here the gates
of a trained LSTM while it listens to one spoken digit.
"""

import tempfile

import matplotlib.pyplot as plt
import torch

import throughtime as tt

# %%
# A short training is enough to see gates at work.

folder = tempfile.TemporaryDirectory()
run = tt.fit(
    tt.cells.LSTM(),
    "spoken-digits",
    hidden_size=48,
    epochs=4,
    out=f"{folder.name}/run",
)
model = tt.load(run.path)

# %%
# The names are those of the equations: ``i``, ``f``, ``g``, ``o`` and ``c`` are locals
# of the cell's step, and `throughtime.explain` prints them.

data = tt.data.load("spoken-digits")
digit = torch.as_tensor(data.part("test")[0])  # (T, F)
frames = model.reader(digit[:, None], torch.float32)  # standardised, (T, 1, F)
_, _, values = model.network(frames[:, 0], return_all=True)

# %%
# Units are sorted by how much they forget on average. Dark rows of the forget gate keep
# what they have; the cell beside it shows what.

order = values[0, 0, "f"].mean(0).argsort()
shown = {"i": "input gate", "f": "forget gate", "o": "output gate", "c": "cell"}
figure, grid = plt.subplots(1, 4, figsize=(10, 3.6), layout="constrained", sharey=True)
for axes, (name, title) in zip(grid, shown.items(), strict=True):
    picture = values[0, 0, name][:, order].T.detach()
    low, high, colours = (-3, 3, "RdBu_r") if name == "c" else (0, 1, "Blues")
    drawn = axes.imshow(picture, aspect="auto", vmin=low, vmax=high, cmap=colours)
    axes.set(title=title, xlabel="step")
    figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.8)
grid[0].set_ylabel("unit")
folder.cleanup()
