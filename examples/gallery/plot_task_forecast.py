"""
A forecast: next week's carbon dioxide
======================================

The data: the air at Mauna Loa, a number for each of 2284 weeks, 59 of them missing.
There is no target; real numbers are asked for their own future. The command:

.. code-block:: console

   $ throughtime train co2 --hidden-size 32 --epochs 15
"""

import tempfile

import throughtime as tt

# %%
# One sequence cannot be on two sides, so it is split by time: the last tenth is the
# test. Missing weeks are filled forward and marked; a forecast of one does not count.

print(tt.data.describe_data(tt.data.load("co2")))

# %%
# The air of the test part holds more carbon dioxide than any week of training. So the
# network learns changes, and the last value is added back.

folder = tempfile.TemporaryDirectory()
run = tt.fit(
    tt.cells.LSTM(),
    "co2",
    hidden_size=32,
    epochs=15,
    threads=1,
    out=f"{folder.name}/run",
)
(found,) = tt.train.judge(run)
print("\n".join(found.lines()))
print("without a network:", run.baselines())

# %%
# There is one sequence, so the interval comes from blocks of weeks, and the line above
# says so. The forecast beside what came, and beside the last value that was known. With
# ``horizon=4`` there would be an answer for each of the next four weeks.

found.show()
folder.cleanup()
