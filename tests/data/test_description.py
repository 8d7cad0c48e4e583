"""The table of what was read says what is there."""

import numpy as np
import polars as pl

from tests.data.tables import dataset_of, long, sequences
from throughtime.data import describe_data, load


def test_of_a_table() -> None:
    parts = sequences(30)
    table = long(parts, ["ab"[number % 2] for number in range(30)]).with_columns(
        x0=pl.when(pl.col("t") == 0).then(None).otherwise("x0"),
        word=pl.when(pl.col("id") == 3).then(pl.lit("rare")).otherwise(pl.lit("often")),
        part=pl.when(pl.col("id") < 5).then(pl.lit("test")).otherwise(pl.lit("train")),
    )
    made = dataset_of(
        table,
        sequence="id",
        time="t",
        target="y",
        split="part",
        missing="forward",
        inputs={"gate": "x1"},
    )
    rows = dict(describe_data(made).rows)
    lengths = [len(part) for part in parts]
    steps = sum(lengths)
    average = f"{np.mean(lengths):.1f}"
    assert rows == {
        "sequences": f"30 of 1 to 8 steps, {average} on average",
        "steps": str(steps),
        "features": "1 number: x0; 1 category: word (1 values)",
        "input gate": "1 number: x1",
        "missing": f"x0 30 ({30 / steps:.1%})",
        "not in training": f"word {lengths[3]} ({lengths[3] / steps:.1%})",
        "target": "1 category: y (2 values)",
        "task": "classify, an answer per sequence",
        "split": "train 23, validation 2, test 5 sequences",
    }


def test_of_a_forecast() -> None:
    made = dataset_of(pl.DataFrame({"x": np.arange(1000.0)}), horizon=3)
    text = str(describe_data(made))
    assert text == (
        "the frame\n"
        "sequences  1 of 1,000 steps\n"
        "steps      1,000\n"
        "features   1 number: x\n"
        "missing    none\n"
        "target     the features\n"
        "task       forecast, 3 steps ahead, of changes since 1 before\n"
        "split      train 800, validation 100, test 100 steps, by time"
    )


def test_of_bundled_data() -> None:
    rows = dict(describe_data(load("spoken-digits")).rows)
    assert rows["features"] == "13 numbers: x0, x1, x2, x3, x4, x5 and 7 more"
    assert rows["target"] == "1 category: class (10 values)"
    rows = dict(describe_data(load("shakespeare")).rows)
    assert rows["characters"] == "1,000,000"
    assert rows["split"].startswith("train 900,000, validation 50,000")
