r"""
Several labels at every step: which notes go under this melody?
===============================================================

The data: four-part Bach on a grid of quarter notes. A row holds the highest note that
sounds, and for each of the twelve notes of the scale whether a lower voice has it, in
whatever octave. Several columns of booleans make a multilabel task: a probability for
each label. Saved as ``melodies.parquet`` the command is:

.. code-block:: console

   $ throughtime train melodies.parquet --sequence chorale --features melody \
       --target C,C#,D,D#,E,F,F#,G,G#,A,A#,B --bidirectional
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

import throughtime as tt

# %%
# The table is made of the bundled chorales, which come as 88 keys a step.

NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
chorales = tt.data.load("chorales")
keys = [column.name for column in chorales.schema.features]
pitch = np.array([NOTES.index(key[:-1]) for key in keys])


def under_a_melody(number: int) -> pl.DataFrame:
    """Give the rows of one chorale."""
    length = int(chorales.frames.lengths[number])
    sounds = chorales.frames.read(number, 0, length) > 0
    highest = [int(row.nonzero()[0].max()) if row.any() else None for row in sounds]
    for row, key in zip(sounds, highest, strict=True):
        row[key] = False
    melody = ["rest" if key is None else keys[key] for key in highest]
    labels = {note: sounds[:, pitch == k].any(axis=1) for k, note in enumerate(NOTES)}
    return pl.DataFrame({"chorale": chorales.keys[number], "melody": melody, **labels})


table = pl.concat([under_a_melody(number) for number in range(len(chorales.keys))])
print(table.head(4))

# %%
# The whole melody is there before the first chord is asked for, so the network may read
# in both directions. A network without recurrent edges beside it, with the same table
# and seed, sees one note at a time: it can only learn which notes are common, and which
# go with the one above them.

said = {"sequence": "chorale", "features": ["melody"], "target": NOTES, "threads": 1}
folder = tempfile.TemporaryDirectory()
run = tt.fit(
    tt.cells.LSTM(),
    table,
    **said,
    bidirectional=True,
    hidden_size=48,
    epochs=15,
    out=f"{folder.name}/both-directions",
)
alone = tt.fit(
    tt.cells.Feedforward(),
    table,
    **said,
    hidden_size=48,
    epochs=15,
    out=f"{folder.name}/one-note",
)
(found,) = tt.train.judge(run)
(of_one_note,) = tt.train.judge(alone)
print("\n".join(found.lines()[:4]))
print("one note at a time:", of_one_note.lines()[0])
print("without a network:", run.baselines())

# %%
# How far can a probability be believed?

found.show()

# %%
# One chorale of the test part: what the network expects under the melody, and what Bach
# wrote. Once it has read the melody it knows the key: notes outside of it stay pale. It
# cannot know which of several good chords was chosen, and spreads what it says.

answers = run.predicted("test")
one = answers.sequences == answers.sequences[0]
figure, axes = plt.subplots(2, 1, figsize=(9, 5.5), sharex=True, layout="constrained")
for place, (shown, title) in enumerate(
    [(answers.outputs, "probability"), (answers.targets, "what Bach wrote")]
):
    axes[place].imshow(shown[one].T, aspect="auto", origin="lower", cmap="Blues")
    axes[place].set(yticks=range(12), yticklabels=NOTES, title=title)
axes[1].set(xlabel="quarter note")
folder.cleanup()
