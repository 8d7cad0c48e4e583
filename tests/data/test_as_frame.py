"""A data set written as rows and read again is the same."""

import numpy as np
import polars as pl

from throughtime.data import Reading, load, read, read_like
from throughtime.data.as_frame import as_frame
from throughtime.data.datasets import SequenceDataset


def test_rows_of_a_table_come_back() -> None:
    rows = pl.DataFrame(
        {
            "who": ["b", "b", "a", "a", "a"],
            "x": [1.5, None, 3.0, 4.0, 5.0],
            "colour": ["red", "blue", None, "red", "red"],
            "yes": [True, False, True, True, False],
        }
    )
    rows = pl.concat([rows] * 5)
    said = Reading(sequence="who", target="yes", missing="zero")
    dataset = read(rows, said)
    assert isinstance(dataset, SequenceDataset)
    frame, name = as_frame(dataset)
    assert name == "who"
    got = frame.select(rows.columns)
    # What only the test part has is no category that training knows.
    known = dataset.schema.features[1].categories
    expected = rows.with_columns(
        pl.when(pl.col("colour").is_in(known)).then(pl.col("colour")),
        pl.col("yes").cast(pl.String),
    )
    assert got.equals(expected.sort("who", maintain_order=True))


def test_bundled_data_read_like_themselves_are_themselves() -> None:
    dataset = load("spoken-digits")
    assert isinstance(dataset, SequenceDataset)
    new = read_like("spoken-digits", dataset.schema, dataset.question, targets=True)
    keys = list(new.dataset.keys)
    assert [keys[place] for place in new.order] == list(dataset.keys)
    for place in (0, 1, 2999):
        length = int(dataset.frames.lengths[place])
        one = dataset.frames.read(place, 0, length)
        other = new.dataset.frames.read(int(new.order[place]), 0, length)
        np.testing.assert_array_equal(one, other)
