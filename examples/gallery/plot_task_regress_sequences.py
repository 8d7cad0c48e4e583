"""
A number per sequence: how long does it ring?
=============================================

The data: a list of arrays ``(T, F)`` and a number for each. Saved as ``.npz`` they are
a file for the command line; ``frames`` are all steps, one sequence after the other:

.. code-block:: console

   $ throughtime train rings.npz --hidden-size 32 --epochs 30
"""

import tempfile

import numpy as np

import throughtime as tt

# %%
# Something is struck and rings. Wanted is the time in which it loses half its swing.
# It is heard from any moment on, at any pitch and loudness, with noise, and for a while
# that says nothing of it.

random = np.random.default_rng(0)
half_lives = random.uniform(5, 40, 600)


def ring(half_life: float) -> np.ndarray:
    """Give one recording, (T, 1)."""
    time = np.arange(random.integers(30, 80))
    swing = random.uniform(1, 3) * 0.5 ** (time / half_life)
    tone = np.cos(random.uniform(0.5, 1.5) * time + random.uniform(0, 6))
    return (swing * tone + random.normal(0, 0.05, len(time)))[:, None]


rings = [ring(half_life) for half_life in half_lives]

# %%
# Real numbers as targets make it a regression; one for each array, an answer per
# sequence. The target is scaled for the network, and answers come in its own units.

folder = tempfile.TemporaryDirectory()
np.savez(
    f"{folder.name}/rings.npz",
    frames=np.concatenate(rings),
    lengths=[len(one) for one in rings],
    y=half_lives,
)
run = tt.fit(
    tt.cells.LSTM(),
    rings,
    target=half_lives,
    hidden_size=32,
    epochs=30,
    threads=1,
    out=f"{folder.name}/run",
)
(found,) = tt.train.judge(run)
print("\n".join(found.lines()))
print("without a network:", run.baselines())

# %%
# Truth to the right, answers upwards: on the line they would be the same.

found.show()
folder.cleanup()
