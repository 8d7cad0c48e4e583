"""Make the bundled data set `co2` from the package statsmodels 0.15.0.

    python scripts/make_co2.py [statsmodels-0.15.0-*.whl]

Without a path the package is downloaded. The same package gives the same bytes.
"""

import csv
import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from packages import fetch
from storing import store

from throughtime.data import (
    Card,
    Column,
    FramesInMemory,
    Question,
    Schema,
    SequenceDataset,
)

SOURCE = "statsmodels/datasets/co2/co2.csv"
SOURCE_SHA256 = "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f"
WEEKS_OF_A_YEAR = 52
CARD = Card(
    name="co2",
    title="carbon dioxide in the air at Mauna Loa, week by week",
    origin=(
        "C. D. Keeling and T. P. Whorf, Scripps Institution of Oceanography, 2004, "
        "through the Carbon Dioxide Information Analysis Center, as in the Python "
        "package statsmodels 0.15.0 (datasets/co2/co2.csv), values unchanged"
    ),
    licence="public domain",
    shape=(
        "1 sequence of 2284 weeks, 29 March 1958 to 29 December 2001, 1 feature in "
        "parts per million, 59 weeks missing"
    ),
    task="forecast: the next week's value, from changes between weeks",
    split=(
        "by time: the last 228 weeks are test, the 228 before them validation, the "
        "1828 before those training"
    ),
    metric="ppm RMSE on test",
    notes=(
        "One station and one stretch of time: the error of so few weeks, which follow "
        "one another, is itself uncertain.",
        "Missing weeks are filled forward and marked for the network; a forecast of a "
        "missing week does not count. All 59 are in the training part.",
        "The weeks before validation and test are read, but not counted; every week of "
        "a part is forecast from all weeks before it.",
    ),
)


def weekly(package: Path) -> np.ndarray:
    """Read the values `(2284, 1)` out of the package; a missing one is NaN."""
    with zipfile.ZipFile(package) as wheel:
        content = wheel.read(SOURCE)
    found = hashlib.sha256(content).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{package} holds other values than version 0.15.0: sha256 {found}")
    rows = csv.DictReader(content.decode("ascii").splitlines())
    return np.array([[float(row["co2"] or "nan")] for row in rows])


def by_time(weeks: int) -> dict[str, np.ndarray]:
    """Give the last tenth to the test, the tenth before it to validation.

    The first value of a part is forecast from the step before it.
    """
    tenth = weeks // 10
    validation, test = weeks - 2 * tenth, weeks - tenth
    return {
        "train": np.array([[0, 0, validation, 0]]),
        "validation": np.array([[0, 0, test, validation - 1]]),
        "test": np.array([[0, 0, weeks, test - 1]]),
    }


def main(package: Path) -> None:
    """Write the weeks and the card."""
    values = weekly(package)
    dataset = SequenceDataset(
        name=CARD.name,
        schema=Schema(features=(Column("co2"),)),
        question=Question("forecast", "step", horizon=1, difference=1),
        frames=FramesInMemory([values]),
        keys=["Mauna Loa"],
        splits=by_time(len(values)),
        missing="forward",
    )
    store(dataset, CARD, season=WEEKS_OF_A_YEAR)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        given = sys.argv[1:]
        main(Path(given[0]) if given else fetch("statsmodels==0.15.0", folder))
