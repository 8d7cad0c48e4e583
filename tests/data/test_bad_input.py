"""What cannot be read is refused in one sentence that names file, column and row."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.data.tables import dataset_of, long, sequences, write
from throughtime import errors
from throughtime.data import read

PARTS = sequences()
LABELS = ["ab"[int(part.sum() > 0)] for part in PARTS]

CSV_FAULTS: list[tuple[str | bytes, dict[str, object], type, str]] = [
    (b"", {}, errors.EmptyFile, "is empty"),
    ("a,b\n", {}, errors.NoRows, "has no rows"),
    ("a,b\n1,2\n1,2,3\n", {}, errors.RaggedRow, "row 2 has 3 fields, expected 2"),
    ("a,b\n1,2\n1\n3,4\n", {}, errors.RaggedRow, "row 2 has 1 fields, expected 2"),
    ("a,b\n1,2\n\n3,4\n", {}, errors.RaggedRow, "row 2 has 0 fields"),
    ("a,b\n1,é\n".encode("latin1"), {}, errors.NotUTF8, "byte 6 does not"),
    ("é,b\n1,2\n".encode("latin1"), {}, errors.NotUTF8, "byte 0 does not"),
    ("a,b\n1,é\n".encode("utf-16"), {}, errors.NotUTF8, "byte 0 does not"),
    ("a,b,a\n1,2,3\n", {}, errors.DuplicateColumn, "two columns named 'a'"),
    (",a\n1,2\n", {}, errors.UnnamedColumn, "no name for column 1"),
    ("a\n1\n2\nabc\n4\n", {}, errors.NotANumber, "row 3, column 'a' holds 'abc'"),
    ("a;b\n1,5;2\n-1,25;3\n", {}, errors.DecimalComma, "row 1, .*'a' holds '1,5'"),
    ('a,b\n"1,5",2\n?,3\n"2,5",4\n', {}, errors.DecimalComma, "decimal points"),
    ("0.5,1\n1.5,2\n", {}, errors.NoHeader, "begins with the numbers 0.5, 1"),
    ("-1\n2\n", {}, errors.NoHeader, "give it a line of names above"),
    ("a\n1\ninf\n4\n", {}, errors.InfiniteValue, "row 2, column 'a' is infinite"),
    ("a\n1\nNA\n4\n", {}, errors.ValueMissing, "row 2, column 'a' has no value"),
    ("a,b\n1,\n2,\n", {}, errors.ColumnWithoutValues, "column 'b' has no value in"),
    ("abc,b\n1,2\n", {"target": "abd"}, errors.UnknownColumn, "did you mean 'abc'"),
    ("a,b\n1,2\n", {"features": []}, errors.BadColumnNames, "features is"),
    ("a,b\n1,2\n", {"target": 3}, errors.BadColumnNames, "target is 3"),
    ("a,y\n1,2\n1,\n", {"target": "y"}, errors.ValueMissing, "column 'y' has no val"),
    ("a,k\n1,2\n1,\n", {"sequence": "k"}, errors.MissingKey, "row 2, column 'k'"),
    ("a,t\n1,2\n1,\n", {"time": "t"}, errors.MissingKey, "row 2, column 't'"),
    ("a,t\n1,x\n", {"time": "t"}, errors.NotATime, "row 1, column 't' holds 'x'"),
    ("a,t\n1,5\n2,5\n", {"time": "t"}, errors.DuplicateTime, "its rows 1 and 2"),
    ("a\n1\n2\n3\n", {}, errors.SequenceTooShort, "'0', has 3 steps, expected at"),
    ("a,s\n1,x\n", {"split": "s"}, errors.BadSplitColumn, "holds 'x' .*row 1"),
    ("a,s\n1,train\n", {"split": "s"}, errors.BadSplitColumn, "holds no 'test'"),
    ("a,b\n1,2\n", {"target": ["b", "b"]}, errors.ColumnGivenTwice, "target and as"),
    (
        "a,b\n1,2\n",
        {"target": "a", "features": ["a", "b"]},
        errors.ColumnGivenTwice,
        "as target and as features",
    ),
    ("a\n1\n", {"target": "a"}, errors.NoFeatures, "no column left to learn from"),
]


@pytest.mark.parametrize(("content", "said", "kind", "says"), CSV_FAULTS)
def test_faults_of_a_csv(
    content: str | bytes,
    said: dict[str, object],
    kind: type[errors.ThroughtimeError],
    says: str,
    tmp_path: Path,
) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(kind, match=says) as caught:
        dataset_of(file, **said)
    message = str(caught.value)
    column_alone = {
        errors.BadColumnNames,
        errors.ColumnGivenTwice,
        errors.DuplicateTime,
    }
    assert "data.csv" in message or kind in column_alone or "s'" in message


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingFile, match=r"no file '.*nosuch\.csv'"):
        read(tmp_path / "nosuch.csv")
    with pytest.raises(errors.NoTable, match="holds no file"):
        read(tmp_path)
    with pytest.raises(errors.NoTable, match="holds no file"):
        read(str(tmp_path / "*.parquet"))
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "a.csv").write_text("x\n1\n", encoding="utf-8")
    with pytest.raises(errors.NoTable, match=r"1 of CSV, 1 of no table"):
        read(tmp_path)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows", "jsonl", "npz"])
def test_a_file_that_was_cut_off(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"data.{ending}"
    if ending == "npz":
        np.savez(file, x=np.zeros((20, 5, 1)))
    else:
        write(pl.DataFrame({"x": np.arange(5000.0)}), file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 - 3])
    with pytest.raises(errors.NotATable, match=rf"data\.{ending} cannot be read as"):
        read(file)


def test_a_row_group_that_was_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    x = np.random.default_rng(0).standard_normal(5000)
    pl.DataFrame({"x": x}).write_parquet(file, row_group_size=500)
    content = bytearray(file.read_bytes())
    content[20_000:24_200] = bytes(4_200)
    file.write_bytes(content)
    with pytest.raises(errors.NotATable, match="check that it is whole"):
        read(file)


def test_faults_of_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    lines = [f'{{"x": {k}}}' for k in range(9)]
    file.write_text("\n".join([*lines, '{"x": "abc"}']), encoding="utf-8")
    with pytest.raises(errors.NotANumber, match=r"row 10, column 'x' holds 'abc'"):
        read(file)
    file.write_text("\n\n", encoding="utf-8")
    with pytest.raises(errors.NoRows, match=r"data\.jsonl has no rows"):
        read(file)
    file.write_text('{"x": 1}\n{"x": ', encoding="utf-8")
    with pytest.raises(errors.NotATable, match="as JSON Lines"):
        read(file)


def test_files_of_one_table_that_differ(tmp_path: Path) -> None:
    write(pl.DataFrame({"x": [1.0]}), tmp_path / "a.parquet")
    write(pl.DataFrame({"y": [1.0]}), tmp_path / "b.parquet")
    with pytest.raises(errors.FilesDiffer, match=r"b\.parquet has the columns y"):
        read(tmp_path)
    write(pl.DataFrame({"x": ["a"]}), tmp_path / "b.parquet")
    with pytest.raises(errors.FilesDiffer, match="x \\(String\\)"):
        read(tmp_path)
    write(pl.DataFrame({"x": [1.0]}), tmp_path / "a.csv")
    write(pl.DataFrame({"y": [1.0]}), tmp_path / "b.csv")
    with pytest.raises(errors.FilesDiffer, match=r"b\.csv has the columns y"):
        read(str(tmp_path / "*.csv"))


TS_FAULTS = [
    ("@data\n", "has no sequence after"),
    ("1,2:a\n", "line 1 stands before"),
    ("@classLabel true a\n", "has no line `@data`"),
    ("@timeStamps true\n@data\n(1,2)\n", "line 1 says that there are time stamps"),
    ("@classLabel true a\n@data\n1,2:3:a\n", r"line 3 has channels of \[1, 2\] val"),
    ("@classLabel true a\n@data\n1,2:a\n1:2:a\n", "line 4 has 2 channels, the first"),
    ("@classLabel true a\n@data\n1,x:a\n", "line 3 has a value that is no number"),
]


@pytest.mark.parametrize(("content", "says"), TS_FAULTS)
def test_faults_of_a_ts_file(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "data.ts"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(errors.BadTSFile, match=says):
        read(file)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"y": np.zeros(3)}, "it holds `y`, expected `x`"),
        ({"frames": np.zeros((5, 2)), "lengths": np.array([2, 2])}, "do not fit"),
        ({"frames": np.zeros((4, 2)), "lengths": np.array([4, 0])}, "do not fit"),
    ],
)
def test_faults_of_an_npz_file(
    arrays: dict[str, np.ndarray], says: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(errors.NotATable, match=says):
        read(tmp_path / "a.npz")


ARRAY_FAULTS = [
    ([], None, errors.BadArrays, "no array at all"),
    (np.zeros((3, 4)), None, errors.BadArrays, r"one array of shape \(3, 4\)"),
    ([np.zeros(3)], None, errors.BadArrays, r"at 0 an array of shape \(3,\)"),
    ([np.zeros((2, 1)), np.zeros((2, 3))], None, errors.BadArrays, "of 1 and 3 col"),
    ([np.zeros((0, 2))], None, errors.BadArrays, "at 0 a sequence without a step"),
    ([np.array([["a"]])], None, errors.BadArrays, "at 0 an array of dtype <U1"),
    ([[[1, 2], [3]]], None, errors.BadArrays, "at 0 "),
    ([np.array([[np.inf]])], None, errors.InfiniteValue, "sequence 0, step 0"),
    (PARTS, [1, 2], errors.TargetShapeMismatch, r"shape \(2,\), expected \(N,\)"),
    (PARTS, np.zeros((20, 2, 2)), errors.TargetShapeMismatch, "for the 20 seq"),
    (PARTS, [[1]] * 20, errors.TargetShapeMismatch, "per sequence or per step"),
    (PARTS, 5, errors.TargetShapeMismatch, r"shape \(\)"),
]


@pytest.mark.parametrize(("data", "target", "kind", "says"), ARRAY_FAULTS)
def test_faults_of_arrays(
    data: object, target: object, kind: type[errors.DataError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        dataset_of(data, target=target)


def test_a_missing_value_is_found_in_arrays() -> None:
    parts = [part.copy() for part in PARTS]
    parts[7][len(parts[7]) - 1, 1] = np.nan
    with pytest.raises(errors.ValueMissing) as caught:
        dataset_of(parts, target=LABELS)
    step = len(parts[7]) - 1
    assert f"sequence 7, step {step}, column 'x1' has no value" in str(caught.value)


def test_a_row_of_a_later_batch_is_found() -> None:
    x = np.zeros(150_000)
    x[140_000] = np.nan
    with pytest.raises(errors.ValueMissing, match="row 140001, column 'x'"):
        dataset_of(pl.DataFrame({"x": x}))


def labelled(change: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    return change(long(PARTS, LABELS)).drop("t")


SAID = {"sequence": "id", "target": "y"}


def test_one_class_only() -> None:
    table = labelled(lambda table: table.with_columns(y=pl.lit("same")))
    with pytest.raises(errors.OneClassOnly, match="the one value 'same'"):
        dataset_of(table, **SAID)


def test_a_class_outside_training() -> None:
    table = labelled(
        lambda table: table.with_columns(
            y=pl.when(pl.col("id") == 3).then(pl.lit("rare")).otherwise("y"),
            part=pl.when(pl.col("id") == 3)
            .then(pl.lit("test"))
            .otherwise(pl.lit("train")),
        )
    )
    with pytest.raises(errors.UnseenClass, match=r"class 'rare' .*sequence '3'"):
        dataset_of(table, **SAID, split="part")


def test_a_sequence_on_two_sides() -> None:
    part = pl.Series(["train"] * 9 + ["test"], dtype=pl.String)
    table = pl.DataFrame({"id": [0, 1] * 5, "x": np.zeros(10), "part": part})
    with pytest.raises(errors.SequenceInTwoParts) as caught:
        dataset_of(table, sequence="id", split="part", task="forecast")
    assert "Sequence '1' is in 'train' and in 'test'" in str(caught.value)
    assert "row 10" in str(caught.value)


def test_a_target_that_changes() -> None:
    table = labelled(lambda table: table.with_columns(y=pl.Series(range(len(table)))))
    with pytest.raises(errors.TargetNotConstant, match=r"sequence '\d+' \(at step 1\)"):
        dataset_of(table, **SAID, per="sequence")


def test_too_few_sequences() -> None:
    with pytest.raises(errors.TooFewSequences, match=r"has 5 sequences .* at least 10"):
        dataset_of(PARTS[:5], target=LABELS[:5])
    with pytest.raises(errors.TooFewSequences, match=r"has 2 sequences .* at least 3"):
        dataset_of(PARTS[:2], target=LABELS[:2], split="sequence")


def test_texts_with_too_many_values() -> None:
    words = [f"word {k}" for k in range(1200)]
    table = pl.DataFrame({"w": words, "x": np.zeros(1200)})
    with pytest.raises(errors.TooManyCategories, match="column 'w' has more than 1000"):
        dataset_of(table, task="forecast")


def test_moments_that_nobody_named() -> None:
    table = pl.DataFrame({"x": np.zeros(20)}).with_columns(at=pl.datetime(2026, 1, 1))
    with pytest.raises(errors.UnsuitableColumn, match="give it as time"):
        dataset_of(table)


def test_lists_in_a_column() -> None:
    table = pl.DataFrame({"x": [[1.0], [2.0]]})
    with pytest.raises(errors.UnsuitableColumn, match=r"column 'x' is of type List"):
        dataset_of(table)


@pytest.mark.parametrize("said", [{"sequence": "id"}, {"horizon": 3}, {"seed": 1}])
def test_what_has_no_use_for_data_that_know_themselves(said: dict[str, object]) -> None:
    with pytest.raises(errors.UnusedSetting, match="spoken-digits"):
        dataset_of("spoken-digits", **said)


def test_what_arrays_and_ts_files_say_themselves(tmp_path: Path) -> None:
    with pytest.raises(errors.UnusedSetting, match="sequence='x0'"):
        dataset_of(PARTS, target=LABELS, sequence="x0")
    file = tmp_path / "a.ts"
    file.write_text("@classLabel true a\n@data\n1:a\n", encoding="utf-8")
    with pytest.raises(errors.UnusedSetting, match="target='x0'"):
        dataset_of(file, target="x0")


def test_something_else_than_data() -> None:
    with pytest.raises(errors.NotADataSource, match="type int"):
        read(3)
    with pytest.raises(errors.NotADataSource, match="type dict"):
        read({"x": [1]})
