"""Parts never share a sequence, every class is in training, and nothing leaks."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.tables import assert_same, dataset_of, long, sequences
from throughtime.data import Reading, counted, read
from throughtime.data.tables.splitting import by_sequence, by_time
from throughtime.errors import OneSequencePerClass

PARTS = ("train", "validation", "test")


def members(splits: dict[str, np.ndarray]) -> dict[str, set[int]]:
    return {part: set(splits[part][:, 0].tolist()) for part in PARTS}


@given(st.integers(3, 300), st.integers(0, 3))
def test_ten_percent_are_test_and_ten_validation(count: int, seed: int) -> None:
    lengths = np.arange(1, count + 1)
    splits = by_sequence(lengths, None, seed)
    held = members(splits)
    assert set().union(*held.values()) == set(range(count))
    assert sum(map(len, held.values())) == count
    assert len(held["test"]) == max(1, count // 10)
    assert abs(len(held["validation"]) - count / 10) <= 1
    for pieces in splits.values():
        assert (pieces[:, 2] == lengths[pieces[:, 0]]).all()
        assert (pieces[:, [1, 3]] == 0).all()
        assert (np.diff(pieces[:, 0]) > 0).all()


@given(st.lists(st.integers(0, 4), min_size=10, max_size=120), st.integers(0, 3))
def test_every_class_is_shared_out(labels: list[int], seed: int) -> None:
    strata = np.array(labels).astype(str)
    lengths = np.ones(len(labels), np.int64)
    if max(Counter(labels).values()) < 3:
        return
    held = members(by_sequence(lengths, strata, seed))
    of_part = {part: Counter(strata[[*places]]) for part, places in held.items()}
    assert set(of_part["train"]) == set(strata)
    assert len(held["test"]) <= max(1, len(labels) // 10)
    for label, count in Counter(strata).items():
        assert of_part["test"][label] <= count // 10 + 1


def test_large_classes_are_shared_out_evenly() -> None:
    strata = np.repeat(["a", "b", "c"], [500, 300, 200])
    held = members(by_sequence(np.ones(1000, np.int64), strata, 0))
    for part, share in (("train", 8), ("validation", 1), ("test", 1)):
        counts = Counter(strata[[*held[part]]].tolist())
        expected = {"a": 50 * share, "b": 30 * share, "c": 20 * share}
        assert all(abs(counts[label] - n) <= 1 for label, n in expected.items())


def test_classes_of_one_sequence_cannot_be_kept_apart() -> None:
    strata = np.arange(12).astype(str)
    with pytest.raises(OneSequencePerClass, match="12 classes"):
        by_sequence(np.ones(12, np.int64), strata, 0)


def test_the_seed_draws() -> None:
    lengths = np.ones(100, np.int64)
    first, again, other = (members(by_sequence(lengths, None, s)) for s in (0, 0, 1))
    assert first == again
    assert first != other


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=9))
def test_by_time_every_step_counts_once(lengths: list[int]) -> None:
    splits = by_time(np.array(lengths))
    steps: list[list[int]] = [[] for _ in lengths]
    for part in PARTS:
        for sequence, start, stop, first in splits[part].tolist():
            assert 0 <= start <= first < stop <= lengths[sequence]
            steps[sequence] += range(first, stop)
            context = first - start
            assert context == min(first, max(1000, stop - first)) or part == "train"
    assert steps == [list(range(length)) for length in lengths]
    assert counted(splits["test"]) == sum(length // 10 for length in lengths)


def test_what_is_said_of_the_future_is_said_of_every_step_of_a_part() -> None:
    dataset = read([np.arange(30.0)[:, None]], Reading(task="forecast"))
    assert dataset.splits["train"].tolist() == [[0, 0, 24, 0]]
    assert dataset.splits["validation"].tolist() == [[0, 0, 27, 23]]
    assert dataset.splits["test"].tolist() == [[0, 0, 30, 26]]


def test_few_sequences_are_cut_by_time_and_many_drawn() -> None:
    few = dataset_of(sequences(9, least=20, most=30), task="forecast")
    assert members(few.splits)["train"] == members(few.splits)["test"]
    many = dataset_of(sequences(10, least=20, most=30), task="forecast")
    assert not members(many.splits)["train"] & members(many.splits)["test"]
    cut = dataset_of(sequences(10, least=20, most=30), task="forecast", split="time")
    assert members(cut.splits)["train"] == members(cut.splits)["test"]


def test_a_column_is_obeyed_and_validation_drawn_where_it_has_none() -> None:
    parts = sequences(30)
    table = long(parts).with_columns(
        part=pl.when(pl.col("id") < 5).then(pl.lit("test")).otherwise(pl.lit("train"))
    )
    said = {"sequence": "id", "time": "t", "split": "part"}
    made = dataset_of(table, **said)
    held = members(made.splits)
    assert held["test"] == set(range(5))
    assert len(held["validation"]) == 2
    assert [column.name for column in made.schema.features] == ["x0", "x1"]
    named = table.with_columns(
        part=pl.when(pl.col("id") == 7).then(pl.lit("validation")).otherwise("part")
    )
    assert members(dataset_of(named, **said).splits)["validation"] == {7}


LABELS = ["ab"[number % 2] for number in range(40)]
SAID = {"sequence": "id", "time": "t", "target": "y", "features": ["x0", "x1", "word"]}


def words(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(
        word=pl.concat_str(pl.lit("w"), (pl.col("id") + pl.col("t")) % 7)
    )


def test_nothing_of_test_rows_reaches_what_training_knows() -> None:
    table = words(long(sequences(40), LABELS))
    made = dataset_of(table, **SAID)
    test = pl.Series([*members(made.splits)["test"]])
    broken = table.with_columns(
        x0=pl.when(pl.col("id").is_in(test.implode())).then(1e9).otherwise("x0"),
        word=pl.when(pl.col("id").is_in(test.implode()))
        .then(pl.lit("a new word"))
        .otherwise("word"),
    )
    other = dataset_of(broken, **SAID)
    assert other.schema == made.schema
    for part in ("train", "validation"):
        assert other.splits[part].tolist() == made.splits[part].tolist()
        for one, two in zip(made.read(part), other.read(part), strict=True):
            assert one.tobytes() == two.tobytes()
    assert {frame[0, 2] for frame in other.read("test")} == {-1.0}


def test_categories_are_those_of_training() -> None:
    table = words(long(sequences(40), LABELS))
    only = table.with_columns(
        word=pl.when(pl.col("id") == 3).then(pl.lit("rare")).otherwise("word"),
        part=pl.when(pl.col("id") < 5).then(pl.lit("test")).otherwise(pl.lit("train")),
    )
    made = dataset_of(only, **SAID, split="part")
    [word] = [column for column in made.schema.features if column.name == "word"]
    assert word.categories == tuple(f"w{k}" for k in range(7))
    place = made.schema.places([word])[0]
    assert set(made.frames.read(3, 0, 9)[:, place]) == {-1.0}
    assert made.frames.read(10, 0, 9)[0, place] == 10 % 7


@given(st.randoms(use_true_random=False))
def test_no_order_of_rows_moves_a_sequence(random: object) -> None:
    table = words(long(sequences(40), LABELS))
    order = list(range(len(table)))
    random.shuffle(order)
    assert_same(dataset_of(table[order], **SAID), dataset_of(table, **SAID))
