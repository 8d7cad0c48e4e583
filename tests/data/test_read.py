"""The same data in any form are the same data set, to the bit."""

from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.tables import (
    WRITERS,
    assert_same,
    dataset_of,
    long,
    sequences,
    write,
)
from throughtime.data import Column, Question, TextDataset, load, read
from throughtime.data.sources.opening import series_of

SAID = {"sequence": "id", "time": "t", "features": ["x0", "x1"], "target": "y"}
PARTS = sequences()
LABELS = ["ab"[int(part.sum() > 0)] for part in PARTS]

numbers = st.one_of(st.none(), st.floats(-1e300, 1e300, allow_nan=False), st.just(-0.0))
words = st.one_of(st.none(), st.text("abcé ,;\"'", min_size=1).map(lambda t: "w" + t))


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Ten sequences and more, of numbers, booleans and words, some missing."""
    lengths = draw(st.lists(st.integers(1, 4), min_size=10, max_size=14))
    rows = sum(lengths)

    def column(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    first = draw(st.sampled_from(["k", "ä"]))
    return pl.DataFrame(
        {
            "id": [f"{first}{k}" for k, n in enumerate(lengths) for _ in range(n)],
            "number": [0.5, *column(numbers)[1:]],
            "whole": [1, *column(st.one_of(st.none(), st.integers(-9, 2**40)))[1:]],
            "flag": [True, *column(st.one_of(st.none(), st.booleans()))[1:]],
            "word": ["word", *column(words)[1:]],
            "y": column(st.floats(-5, 5)),
        },
        schema_overrides={"number": pl.Float64, "whole": pl.Int64, "y": pl.Float64},
    )


@settings(max_examples=25, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_every_format_gives_equal_data_sets(
    table: pl.DataFrame, random: object
) -> None:
    said = {"sequence": "id", "target": "y", "missing": "forward"}
    expected = dataset_of(table, **said)
    with TemporaryDirectory() as folder:
        for ending in WRITERS:
            file = write(table, Path(folder) / f"table.{ending}")
            assert_same(dataset_of(file, **said), expected)
    assert_same(dataset_of(table, **said, memory="0B"), expected)


@pytest.mark.parametrize("ending", WRITERS)
def test_files_of_each_format(ending: str, tmp_path: Path) -> None:
    file = write(long(PARTS, LABELS), tmp_path / f"table.{ending}")
    assert_same(dataset_of(file, **SAID), dataset_of(long(PARTS, LABELS), **SAID))


def test_a_folder_and_a_pattern_are_their_files(tmp_path: Path) -> None:
    table = long(PARTS, LABELS)
    (tmp_path / "year").mkdir()
    write(table[:30], tmp_path / "year" / "a.parquet")
    write(table[30:], tmp_path / "year" / "b.parquet")
    (tmp_path / "year" / "_SUCCESS").touch()
    expected = dataset_of(table, **SAID)
    assert_same(dataset_of(tmp_path / "year", **SAID), expected)
    assert_same(dataset_of(str(tmp_path / "year" / "*.parquet"), **SAID), expected)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_of_one_table_may_have_other_types_of_numbers(
    ending: str, tmp_path: Path
) -> None:
    table = pl.DataFrame({"x": [float(k) for k in range(20)] + [0.5]})
    write(table[:20].cast({"x": pl.Int64}), tmp_path / f"a.{ending}")
    write(table[20:], tmp_path / f"b.{ending}")
    made = dataset_of(tmp_path)
    assert made.frames.read(0, 19, 21)[:, 0].tolist() == [19.0, 0.5]


def write_ts(file: Path, parts: list[np.ndarray], labels: list[str]) -> Path:
    lines = ["# words", "@problemName Test", "@timeStamps false"]
    lines += ["@classLabel true a b", "@data"]
    for part, label in zip(parts, labels, strict=True):
        channels = [",".join(map(repr, channel.tolist())) for channel in part.T]
        lines.append(":".join([*channels, label]))
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_arrays_and_their_files_are_the_table(tmp_path: Path) -> None:
    table = dataset_of(long(PARTS, LABELS), **SAID)
    arrays = dataset_of(PARTS, target=LABELS)
    assert_same(arrays, table, names=False)
    lengths = [len(part) for part in PARTS]
    np.savez(
        tmp_path / "a.npz", frames=np.concatenate(PARTS), lengths=lengths, y=LABELS
    )
    assert_same(dataset_of(tmp_path / "a.npz"), arrays)
    assert_same(dataset_of(write_ts(tmp_path / "a.ts", PARTS, LABELS)), arrays)


def test_a_cube_is_a_list_of_matrices(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).standard_normal((12, 5, 3)).astype(np.float32)
    targets = cube[:, :, :1].astype(np.float64)
    listed = dataset_of(list(cube), target=[one[:, 0] for one in targets])
    assert listed.question == Question("regress", "step")
    made = dataset_of(cube, target=targets)
    assert made.schema.targets == (Column("target0"),)
    assert_same(made, listed, names=False)
    np.savez(tmp_path / "a.npz", x=cube, y=targets)
    assert_same(dataset_of(tmp_path / "a.npz"), made)


def test_targets_per_sequence_may_be_several() -> None:
    cube = np.zeros((12, 5, 3))
    labels = np.arange(24).reshape(12, 2) % 2
    made = dataset_of(cube, target=labels)
    assert made.question == Question("multilabel", "sequence")
    assert made.frames.read(3, 0, 5)[:, 3:].tolist() == [labels[3].tolist()] * 5


def test_training_and_test_files_belong_together(tmp_path: Path) -> None:
    write_ts(tmp_path / "A_TEST.ts", PARTS[15:], LABELS[15:])
    file = write_ts(tmp_path / "A_TRAIN.ts", PARTS[:15], LABELS[:15])
    made = dataset_of(file)
    assert made.splits["test"][:, 0].tolist() == list(range(15, 20))
    assert len(made.splits["validation"]) == 1
    drawn = dataset_of(file, split="sequence")
    assert_same(drawn, dataset_of(PARTS, target=LABELS))


def test_numbers_are_the_targets_of_some_ts_files(tmp_path: Path) -> None:
    lines = ["@targetLabel true", "@data", *[f"1,?,{k}:{k}.5" for k in range(10)]]
    file = tmp_path / "a.ts"
    file.write_text("\n".join(lines), encoding="utf-8")
    made = dataset_of(file, missing="zero")
    assert made.question == Question("regress", "sequence")
    rows = made.frames.read(4, 0, 3)
    np.testing.assert_array_equal(rows, [[1, 4.5], [np.nan, 4.5], [4, 4.5]])


def test_any_frame_that_narwhals_knows() -> None:
    table = long(PARTS, LABELS)
    expected = dataset_of(table, **SAID)
    assert_same(dataset_of(table.lazy(), **SAID), expected)
    assert_same(dataset_of(nw.from_native(table), **SAID), expected)
    assert_same(dataset_of(nw.from_native(table.lazy()), **SAID), expected)


@pytest.mark.parametrize(
    "values",
    [
        [1.5, 2.0],
        [1, 2],
        [True, False],
        [True, None],
        ["a", None],
        [datetime(2026, 1, 31, 12), None],
        [date(2026, 1, 31)],
    ],
)
def test_columns_that_are_read_value_by_value(values: list[object]) -> None:
    column = pl.Series("x", values)
    made = series_of(nw.from_native(column, series_only=True))
    assert made.equals(column, check_names=True)


@pytest.mark.parametrize("memory", ["256MB", "0B"])
def test_the_order_of_rows_changes_nothing(memory: str, tmp_path: Path) -> None:
    table = long(PARTS, LABELS)
    mixed = table.sample(fraction=1, shuffle=True, seed=1)
    assert not mixed.equals(table)
    expected = dataset_of(table, **SAID)
    assert_same(dataset_of(mixed, **SAID, memory=memory), expected)
    file = write(mixed, tmp_path / "mixed.csv")
    assert_same(dataset_of(file, **SAID, memory=memory), expected)


def test_keys_are_sorted_as_what_they_are() -> None:
    table = pl.DataFrame({"id": [10, 9, 2] * 10, "x": range(30)})
    numbers = dataset_of(table, sequence="id")
    assert numbers.keys == ["2", "9", "10"]
    words = dataset_of(table.cast({"id": pl.String}), sequence="id")
    assert words.keys == ["10", "2", "9"]
    categories = table.cast({"id": pl.String}).cast({"id": pl.Categorical})
    assert dataset_of(categories, sequence="id").keys == words.keys


def test_the_type_of_the_matrices_is_the_narrowest_that_is_exact() -> None:
    table = pl.DataFrame({"x": [0.5] * 20, "flag": [True] * 20, "small": [3] * 20})
    narrow = table.cast({"x": pl.Float32, "small": pl.Int16})
    for data, dtype in ((table, np.float64), (narrow, np.float32)):
        assert dataset_of(data, task="forecast").frames.read(0, 0, 1).dtype == dtype


def test_times_of_every_kind_order_and_tell_differences() -> None:
    hours = [5, 0, 2, *range(6, 20)]
    whole = pl.DataFrame({"t": hours, "x": [float(h) for h in hours]})
    moments = whole.with_columns(pl.datetime(2026, 1, 31) + pl.duration(hours="t"))
    moments = moments.drop("t").rename({"datetime": "t"})
    forms = {
        "number": (whole, 1),
        "moment": (moments, 3600),
        "milliseconds": (moments.cast({"t": pl.Datetime("ms")}), 3600),
        "duration": (whole.with_columns(pl.duration(hours="t").alias("t")), 3600),
        "text": (
            moments.with_columns(pl.col("t").dt.to_string("%Y-%m-%dT%H:%M:%S")),
            3600,
        ),
    }
    for table, second in forms.values():
        made = dataset_of(table.select("t", "x"), time="t", time_difference=True)
        rows = made.frames.read(0, 0, 4)
        assert rows[:, 0].tolist() == [0, 2, 5, 6]
        assert rows[:, 1].tolist() == [0, 2 * second, 3 * second, second]
        assert [c.name for c in made.schema.features] == ["x", "time difference"]
        assert made.schema.targets == (Column("x"),)


def test_dates_are_days_apart() -> None:
    table = pl.DataFrame(
        {"day": pl.date_range(pl.date(2026, 1, 1), pl.date(2026, 2, 1), eager=True)}
    )
    table = table.with_columns(x=pl.int_range(len(table)).cast(pl.Float64))
    made = dataset_of(table, time="day", time_difference=True)
    assert made.frames.read(0, 0, 3)[:, 1].tolist() == [0, 86_400, 86_400]


def test_inputs_of_the_cell_are_columns_of_their_own() -> None:
    table = long(PARTS, LABELS).with_columns(rate=pl.col("x0") * 2, gate=pl.lit(1.5))
    said = {"sequence": "id", "time": "t", "target": "y"}
    made = dataset_of(table, **said, inputs={"r": "rate", "g": ["gate", "x1"]})
    assert [column.name for column in made.schema.features] == ["x0"]
    assert made.schema.inputs == {
        "r": (Column("rate"),),
        "g": (Column("gate"), Column("x1")),
    }
    columns = ["x0", "rate", "gate", "x1", "y"]
    assert [column.name for column in made.schema.columns] == columns


def test_bundled_data_texts_and_data_sets_are_read_as_they_are(tmp_path: Path) -> None:
    digits = read("spoken-digits")
    assert_same(digits, load("spoken-digits"))
    assert read(digits) is not None
    assert dataset_of(digits, missing="mean").missing == "mean"
    file = tmp_path / "letters.md"
    file.write_text("abcd" * 100, encoding="utf-8")
    assert isinstance(read(file), TextDataset)


def test_a_bundled_name_comes_before_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spoken-digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(dataset_of("spoken-digits").keys) == 3000
