"""
One class per sequence: which digit was spoken?
===============================================

The data: 3000 recordings of the ten digits by six speakers, 13 numbers for each of some
18 frames, and for each recording one answer. The command:

.. code-block:: console

   $ throughtime train spoken-digits --hidden-size 32 --epochs 5
   $ throughtime evaluate RUN
"""

import tempfile

import throughtime as tt

# %%
# What will be learned stands in the data set itself, as does what methods reach that
# are blind to the order of the frames.

print(tt.data.describe_data(tt.data.load("spoken-digits")))

# %%
# The same from Python. Training ends with the weights that were best on the validation
# part; the test part is looked at once, after that.

folder = tempfile.TemporaryDirectory()
run = tt.fit(
    tt.cells.LSTM(),
    "spoken-digits",
    hidden_size=32,
    epochs=5,
    threads=1,
    out=f"{folder.name}/run",
)

# %%
# ``judge`` is what ``evaluate`` calls. Its interval says how far the accuracy may be
# from that on ever more recordings of these speakers; of others it says nothing.

(found,) = tt.train.judge(run)
print("\n".join(found.lines()))
print("without a network:", run.baselines())

# %%
# The picture of a classification is its confusion matrix: a row for each true digit.

found.show()
folder.cleanup()
