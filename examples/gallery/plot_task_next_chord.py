"""
The next step: four-part chorales by Bach
=========================================

The data: 364 chorales, at every quarter note which of 88 keys sound. There is no
target; features that are all yes or no are asked for their own next step, each key by
itself. The command:

.. code-block:: console

   $ throughtime train chorales --cell gru --hidden-size 64 --learning-rate 0.02
"""

import tempfile

import throughtime as tt

folder = tempfile.TemporaryDirectory()
run = tt.fit(
    tt.cells.GRU(),
    "chorales",
    hidden_size=64,
    learning_rate=0.02,
    epochs=20,
    threads=1,
    out=f"{folder.name}/run",
)
(found,) = tt.train.judge(run)
print("\n".join(found.lines()))

# %%
# Nats per frame are what all 88 keys of a step cost together: 0 would be to know the
# next chord for certain. Beside it stand how often each key sounds at all, and a chain
# that knows of each key whether it sounds now.

print("without a network:", run.baselines())

# %%
# A piano roll: a piece of the test part, and to its right what was said to come, one
# step before it came.

found.show()
folder.cleanup()
