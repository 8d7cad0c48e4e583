"""Make the bundled data set `chorales` from the package music21 10.5.1.

    python scripts/make_chorales.py [music21-10.5.1-py3-none-any.whl]

Without a path the package is downloaded. The same package gives the same bytes.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from packages import fetch
from scores import KEYS, LOWEST, part_names, piano_roll, read_score
from storing import store
from variants import groups

from throughtime.data import (
    Card,
    Column,
    FramesInMemory,
    Question,
    Schema,
    SequenceDataset,
    whole,
)

SOURCE = "music21/corpus/bach/"
VOICES = ["Soprano", "Alto", "Tenor", "Bass"]
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
SEED = 0
CARD = Card(
    name="chorales",
    title="four-part chorales by Johann Sebastian Bach",
    origin=(
        "scores in the Python package music21 10.5.1 (music21/corpus/bach/*.mxl), most "
        "encoded by Margaret Greentree: every score of exactly the parts Soprano, "
        "Alto, Tenor and Bass; of each only which keys sound at every quarter note"
    ),
    licence="public domain",
    shape=(
        "364 pieces of 24 to 193 steps (median 48), 19817 in all, 88 yes-or-no "
        "features, the keys of a piano"
    ),
    task="next: which of the 88 keys sound at the next quarter note",
    split=(
        "random, fixed, by piece: about 70 % training, 10 % validation, 20 % test; "
        "variants of one piece stay together (NumPy's "
        f"default_rng({SEED}).permutation of such groups)"
    ),
    metric="nats per frame on test",
    notes=(
        "The parts are our own: results are not comparable to those published on other "
        "collections of Bach's chorales.",
        "Pieces that have a quarter or more of their four-step stretches in common, "
        "however transposed, are variants. Other harmonisations of one melody may be "
        "in different parts.",
        "Nats are summed over the keys and averaged over all frames (steps) but the "
        "first of each piece. Trivial methods are fitted on training and validation "
        "data together, one added to every count: how often each key sounds, and how "
        "often after it sounded, or did not, one step before.",
    ),
)


def chorales(package: Path) -> dict[str, np.ndarray]:
    """Read the four-part pieces: which keys sound `(T, 88)`, by name."""
    pieces: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(package) as wheel:
        for path in sorted(wheel.namelist()):
            if path.startswith(SOURCE) and path.endswith(".mxl"):
                with wheel.open(path) as file:
                    score = read_score(file)
                if part_names(score) == VOICES:
                    pieces[Path(path).stem] = piano_roll(score)
    return pieces


def split(pieces: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Draw groups: 70 % training, 10 % validation, 20 % test."""
    together = groups(list(pieces.values()))
    drawn = np.random.default_rng(SEED).permutation(len(together))
    edges = [round(0.7 * len(together)), round(0.8 * len(together))]
    lengths = np.array([len(piece) for piece in pieces.values()])
    parts = zip(("train", "validation", "test"), np.split(drawn, edges), strict=True)
    return {
        part: whole(np.sort(np.concatenate([together[k] for k in places])), lengths)
        for part, places in parts
    }


def key_name(key: int) -> str:
    octave, step = divmod(LOWEST + key, 12)
    return f"{NAMES[step]}{octave - 1}"


def main(package: Path) -> None:
    """Write the pieces and the card."""
    pieces = chorales(package)
    keys = tuple(Column(key_name(key), "boolean") for key in range(KEYS))
    dataset = SequenceDataset(
        name=CARD.name,
        schema=Schema(features=keys),
        question=Question("next", "step"),
        frames=FramesInMemory([piece.astype(np.float32) for piece in pieces.values()]),
        keys=list(pieces),
        splits=split(pieces),
    )
    store(dataset, CARD)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        given = sys.argv[1:]
        main(Path(given[0]) if given else fetch("music21==10.5.1", folder))
