"""New data are coded as in training, and come back in their own order."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.data.tables import WRITERS, dataset_of, long, sequences, write
from throughtime import errors
from throughtime.data import NewRows, Reading, SequenceDataset, read_like

PARTS = sequences(30)
LABELS = ["ab"[int(part.sum() > 0)] for part in PARTS]
SAID = {"sequence": "id", "time": "t", "target": "y"}


def table() -> pl.DataFrame:
    return long(PARTS, LABELS).with_columns(
        word=pl.concat_str(pl.lit("0"), pl.col("t") % 3),
        flag=pl.col("x0") > 0,
    )


@pytest.fixture(scope="module")
def learned() -> SequenceDataset:
    return dataset_of(table(), **SAID, time_difference=True)


def read_new(
    data: object, learned: SequenceDataset, targets: bool = False, **said: object
) -> NewRows:
    reading = Reading(**said)
    return read_like(data, learned.schema, learned.question, reading, targets=targets)


@pytest.mark.parametrize("memory", ["256MB", "0B"])
@pytest.mark.parametrize("ending", WRITERS)
def test_matrices_are_those_of_training(
    ending: str, memory: str, learned: SequenceDataset, tmp_path: Path
) -> None:
    mixed = table().sample(fraction=1, shuffle=True, seed=0)
    file = write(mixed, tmp_path / f"new.{ending}")
    new = read_new(file, learned, targets=True, memory=memory)
    assert new.dataset.keys == learned.keys
    assert new.dataset.schema == learned.schema
    assert len(new.dataset.splits["test"]) == 30
    for number, length in enumerate(learned.frames.lengths.tolist()):
        one, other = (
            dataset.frames.read(number, 0, length) for dataset in (new.dataset, learned)
        )
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("memory", ["256MB", "0B"])
def test_answers_come_back_in_the_order_of_the_rows(
    memory: str, learned: SequenceDataset
) -> None:
    mixed = table().sample(fraction=1, shuffle=True, seed=0)
    new = read_new(mixed, learned, memory=memory)
    room = new.room(2)
    for number, length in enumerate(new.dataset.frames.lengths.tolist()):
        rows = new.dataset.frames.read(number, 0, length)
        for start in range(0, length, 3):
            new.put(room, number, start, rows[start : start + 3, :2])
    pairs = list(new.in_order(room))
    assert pl.concat([frame for frame, _ in pairs]).equals(mixed["id", "t"])
    answers = np.concatenate([values for _, values in pairs])
    assert answers.tolist() == mixed.select("x0", "x1").to_numpy().tolist()


def test_sequences_come_in_the_order_of_their_first_rows(
    learned: SequenceDataset,
) -> None:
    order = [7, 3, 20, 1]
    mixed = pl.concat([table().filter(pl.col("id") == number) for number in order])
    new = read_new(mixed, learned)
    keys = [new.dataset.keys[number] for number in new.order]
    assert keys == ["7", "3", "20", "1"]
    assert new.rows(new.order[1], 0, 2).tolist() == [len(PARTS[7]), len(PARTS[7]) + 1]


def test_targets_are_not_needed_where_they_are_not_asked_for(
    learned: SequenceDataset,
) -> None:
    new = read_new(table().drop("y"), learned)
    assert np.isnan(new.dataset.frames.read(0, 0, 1)[0, -1])
    with pytest.raises(
        errors.TruthMissing, match="is no column 'y' in the frame, expected it"
    ):
        read_new(table().drop("y"), learned, targets=True)


def test_columns_may_have_other_names_and_others_beside_them(
    learned: SequenceDataset,
) -> None:
    renamed = table().rename({"id": "key", "t": "at"}).with_columns(more=pl.lit("x"))
    new = read_new(renamed, learned, sequence="key", time="at")
    assert (new.dataset.schema.sequence, new.dataset.schema.time) == ("key", "at")
    assert new.dataset.keys == learned.keys


def test_values_that_training_did_not_know(learned: SequenceDataset) -> None:
    place = learned.schema.columns.index(
        next(c for c in learned.schema.features if c.name == "word")
    )
    other = table().with_columns(word=pl.lit("new"))
    new = read_new(other, learned)
    assert set(new.dataset.frames.read(0, 0, 9)[:, place]) == {-1.0}
    other = table().with_columns(y=pl.lit("c"))
    with pytest.raises(errors.UnknownClass, match=r"row 1, .*class 'c', .*'a', 'b'"):
        read_new(other, learned, targets=True)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"x0": None}, errors.SchemaMismatch, "has no column 'x0'"),
        ({"x0": pl.lit("a")}, errors.SchemaMismatch, "type String in column 'x0'"),
        ({"x0": pl.lit(float("inf"))}, errors.InfiniteValue, "column 'x0'"),
        ({"x0": pl.lit(None, pl.Float64)}, errors.ValueMissing, "column 'x0'"),
        ({"flag": pl.lit(2)}, errors.SchemaMismatch, "another value in column 'flag'"),
        ({"flag": pl.lit("yes")}, errors.SchemaMismatch, "in column 'flag', exp"),
        ({"word": pl.lit([1])}, errors.SchemaMismatch, "in column 'word'"),
        ({"id": None}, errors.SchemaMismatch, "has no column 'id'"),
        ({"t": None}, errors.SchemaMismatch, "has no column 't'"),
        ({"t": pl.lit(1)}, errors.DuplicateTime, "twice"),
    ],
)
def test_columns_that_are_not_as_in_training(
    change: dict[str, pl.Expr | None],
    kind: type[errors.DataError],
    says: str,
    learned: SequenceDataset,
) -> None:
    [(name, value)] = change.items()
    other = table().drop(name) if value is None else table().with_columns(**change)
    with pytest.raises(kind, match=says):
        read_new(other, learned)


def test_text_among_the_numbers_of_a_csv(
    learned: SequenceDataset, tmp_path: Path
) -> None:
    other = table().with_columns(pl.col("x0").cast(pl.String))
    other[4, "x0"] = "n. a."
    file = write(other, tmp_path / "new.csv")
    with pytest.raises(errors.NotANumber, match=r"row 5, column 'x0' holds 'n\. a\.'"):
        read_new(file, learned)


def test_texts_of_a_csv_stay_what_they_are(
    learned: SequenceDataset, tmp_path: Path
) -> None:
    # `00` is the name of a category, not the number 0.
    file = write(table(), tmp_path / "new.csv")
    trained = dataset_of(table(), **SAID)
    new = read_new(file, trained)
    assert new.dataset.frames.read(0, 0, 1)[0].tolist()[:4] == pytest.approx(
        trained.frames.read(0, 0, 1)[0].tolist()[:4], abs=0
    )


def test_missing_values_where_they_are_filled(learned: SequenceDataset) -> None:
    other = table().with_columns(x0=pl.lit(None, pl.Float64))
    new = read_new(other, learned, missing="mean")
    assert np.isnan(new.dataset.frames.read(0, 0, 1)[0, 0])


def test_arrays_are_taken_in_the_order_of_the_columns() -> None:
    renamed = long(PARTS, LABELS).rename({"x0": "warm", "x1": "wet"})
    trained = dataset_of(renamed, **SAID)
    new = read_new(PARTS, trained, targets=True, target=LABELS)
    for number, length in enumerate(trained.frames.lengths.tolist()):
        one, other = (
            dataset.frames.read(number, 0, length) for dataset in (new.dataset, trained)
        )
        assert one.tobytes() == other.tobytes()
    with pytest.raises(errors.SchemaMismatch, match="has 3 columns a step, expected 2"):
        read_new([np.zeros((2, 3))], trained)


def test_files_of_arrays(tmp_path: Path) -> None:
    trained = dataset_of(PARTS, target=LABELS)
    file = tmp_path / "new.npz"
    np.savez(file, frames=np.concatenate(PARTS), lengths=[len(part) for part in PARTS])
    new = read_new(file, trained)
    assert new.dataset.keys == trained.keys
    lines = [
        "@data",
        *(":".join(",".join(map(repr, c.tolist())) for c in p.T) for p in PARTS),
    ]
    (tmp_path / "A_TRAIN.ts").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "A_TEST.ts").write_text("\n".join(lines), encoding="utf-8")
    new = read_new(tmp_path / "A_TRAIN.ts", trained)
    assert new.dataset.keys == trained.keys


def test_a_target_that_changes_is_refused(learned: SequenceDataset) -> None:
    other = table().with_columns(y=pl.Series(["a", "b"] * 999)[: len(table())])
    with pytest.raises(errors.TargetNotConstant, match="at step 1"):
        read_new(other, learned, targets=True)


def test_what_was_forecast_needs_no_further_target() -> None:
    trained = dataset_of(pl.DataFrame({"x": np.arange(40.0)}))
    new = read_new(pl.DataFrame({"x": [1, 2, 3]}), trained, targets=True)
    assert new.dataset.frames.read(0, 0, 3).tolist() == [[1], [2], [3]]
