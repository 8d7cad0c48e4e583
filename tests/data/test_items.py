"""Steps that name items: rows of one time are one step, whatever their order."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from tests.data.events import dense, events, matrix, mixed
from tests.data.tables import WRITERS, dataset_of, write
from throughtime import errors
from throughtime.data import (
    Reading,
    SequenceDataset,
    describe_data,
    read,
    read_like,
)
from throughtime.data.batches import SequenceBatches
from throughtime.data.items import Items
from throughtime.data.trivial import trivial_baselines
from throughtime.train.asking.sources import checksum

SAID = {"sequence": "who", "time": "when", "target": "label"}


def items_of(dataset: SequenceDataset) -> Items:
    assert dataset.items is not None
    return dataset.items


def learned(data: object = None, **said: object) -> SequenceDataset:
    return dataset_of(
        events() if data is None else data, **{**SAID, "items": "what:how", **said}
    )


@pytest.mark.parametrize("values", [True, False])
@pytest.mark.parametrize("memory", ["256MB", "0B"])
@pytest.mark.parametrize("ending", WRITERS)
def test_steps_hold_what_their_rows_say(
    ending: str, memory: str, values: bool, tmp_path: Path
) -> None:
    frame = events()
    said = {"items": "what:how" if values else "what", "memory": memory}
    dataset = learned(write(mixed(frame), tmp_path / f"e.{ending}"), **said)
    items, (column, *_) = items_of(dataset), dataset.schema.items
    assert items.size == len(column.categories)
    for place, key in enumerate(dataset.keys):
        expected = dense(frame, key, column.categories, values)
        assert dataset.frames.lengths[place] == len(expected)
        found = matrix(items, place, 0, len(expected))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        part = matrix(items, place, 1, len(expected))
        np.testing.assert_allclose(part, expected[1:], atol=1e-6)


def test_items_are_those_of_the_training_part() -> None:
    dataset = learned()
    keys = [dataset.keys[piece[0]] for piece in dataset.splits["train"].tolist()]
    known = events().filter(pl.col("who").is_in(keys))["what"].unique()
    assert dataset.schema.items[0].categories == tuple(sorted(known))
    unknown = len(events().filter(~pl.col("what").is_in(known.implode())))
    assert unknown
    assert f"items {unknown:,}" in str(describe_data(dataset))


def test_batches_put_items_beside_their_frames() -> None:
    dataset = learned()
    items, pieces = items_of(dataset), dataset.splits["train"]
    order = torch.Generator().manual_seed(0)
    batches = SequenceBatches(dataset.frames, pieces, 7, order, items=items)
    seen = 0
    for batch in batches:
        assert batch.items is not None
        assert batch.items.lengths.tolist() == batch.lengths.tolist()
        found = batch.items.to_dense().numpy()
        assert found.shape == (*batch.frames.shape[:2], items.size)
        for row, (sequence, length) in enumerate(
            zip(batch.sequences.tolist(), batch.lengths.tolist(), strict=True)
        ):
            expected = matrix(items, sequence, 0, length)
            np.testing.assert_allclose(found[:length, row], expected, rtol=1e-6)
            assert not found[length:, row].any()
        seen += len(batch.pieces)
    assert seen == len(pieces)


def test_a_share_without_rows_names_nothing() -> None:
    dataset = learned()
    pieces = dataset.splits["train"][:5]
    batches = SequenceBatches(
        dataset.frames, pieces, 2, share=slice(1, None, 2), items=items_of(dataset)
    )
    *_, last = batches
    assert last.items is not None
    assert last.items.shape == (*last.frames.shape[:2], items_of(dataset).size)
    assert not len(last.items.features)


def test_without_a_time_every_row_is_a_step() -> None:
    dataset = learned(time=None, items="what")
    assert int(dataset.frames.lengths.sum()) == len(events())
    found = matrix(items_of(dataset), 0, 0, int(dataset.frames.lengths[0]))
    assert set(found.sum(axis=1).tolist()) == {1}


def test_items_are_names_also_where_they_are_numbers(tmp_path: Path) -> None:
    large = 2**53
    numbers = pl.col("what").str.slice(1).cast(pl.Int64) + large
    frame = events().with_columns(what=numbers)
    texts = frame.with_columns(pl.col("what").cast(pl.String))
    categories = learned(frame).schema.items[0].categories
    assert categories == learned(texts).schema.items[0].categories
    assert len(categories) == len(learned().schema.items[0].categories)
    floats = events().with_columns(what=(numbers - large).cast(pl.Float64))
    assert "10" in learned(floats).schema.items[0].categories


def test_items_of_a_file_stay_as_they_are_written(tmp_path: Path) -> None:
    written = pl.col("what").str.slice(1).str.zfill(4)
    file = write(events().with_columns(what=written), tmp_path / "e.csv")
    dataset = learned(file)
    assert all(len(name) == 4 for name in dataset.schema.items[0].categories)
    new = read_like(file, dataset.schema, dataset.question, Reading(), targets=True)
    length = int(dataset.frames.lengths[0])
    one, other = (matrix(items_of(d), 0, 0, length) for d in (new.dataset, dataset))
    assert one.any()
    assert np.array_equal(one, other)


def test_the_order_of_rows_changes_no_bit() -> None:
    one, other = learned(events()), learned(mixed(events()))
    assert checksum(one) == checksum(other)
    everything = np.concatenate(list(one.splits.values()))
    first, second = (items_of(d).side_by_side(everything) for d in (one, other))
    assert torch.equal(first.features, second.features)
    assert first.values is not None
    assert second.values is not None
    assert torch.equal(first.values, second.values)


def test_values_keep_their_digits() -> None:
    dataset = learned(events().with_columns(how=pl.lit(0.1)))
    found = items_of(dataset).side_by_side(dataset.splits["train"]).values
    assert found is not None
    assert set(found.tolist()) == {0.1}


def test_a_row_may_name_nothing() -> None:
    nothing = pl.DataFrame(
        {"who": "s0", "when": 99, "what": None, "how": None, "label": "no"}
    )
    frame = pl.concat([events(), nothing], how="vertical_relaxed")
    with pytest.raises(errors.ValueMissing, match="missing='zero', so that"):
        learned(frame)
    dataset = learned(frame, missing="zero")
    place = list(dataset.keys).index("s0")
    last = int(dataset.frames.lengths[place]) - 1
    assert not matrix(items_of(dataset), place, last, last + 1).any()
    assert last == int(learned().frames.lengths[place])


def test_rows_of_one_step_must_agree() -> None:
    frame = events(values=False).with_columns(
        label=pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("no")).otherwise("label")
    )
    second = events()[1]
    with pytest.raises(errors.RowsOfAStepDiffer) as caught:
        learned(pl.concat([frame, second.with_columns(label=pl.lit("yes"))]))
    assert "'label'" in str(caught.value)
    assert "'s0'" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"features": ["how"], "items": "what"}, "all that the network reads"),
        ({"time_difference": True}, "all that the network reads"),
        ({"target": None}, "which items come next"),
        ({"missing": "mean"}, "nothing before it"),
    ],
)
def test_what_does_not_go_with_items_is_refused(
    said: dict[str, object], words: str
) -> None:
    with pytest.raises(errors.ContradictoryQuestion, match=words):
        learned(**said)


def test_what_is_an_item_is_nothing_else() -> None:
    with pytest.raises(errors.ColumnGivenTwice, match="items"):
        learned(inputs={"dose": "how"})
    with pytest.raises(errors.ColumnGivenTwice, match="items"):
        learned(target="what", items="what")
    with pytest.raises(errors.ContradictoryQuestion, match="missing='zero'"):
        read(learned(), Reading(missing="mean"))


def test_new_rows_of_strange_items_are_refused() -> None:
    dataset = learned()
    strange = events().with_columns(what=pl.lit("never"))
    with pytest.raises(errors.SchemaMismatch, match="nothing that training knew"):
        read_like(strange, dataset.schema, dataset.question, Reading())


def test_a_data_set_is_new_data_too() -> None:
    dataset = learned()
    new = read_like(dataset, dataset.schema, dataset.question, Reading(), targets=True)
    assert new.dataset.keys == dataset.keys
    for place, length in enumerate(dataset.frames.lengths.tolist()):
        one, other = (
            matrix(items_of(d), place, 0, length) for d in (new.dataset, dataset)
        )
        assert np.array_equal(one, other)


def test_columns_of_items_are_checked() -> None:
    with pytest.raises(errors.BadColumnNames, match="items"):
        learned(items=["what", "how", "when"])
    with pytest.raises(errors.UnknownColumn, match="'whot'"):
        learned(items="whot:how")
    with pytest.raises(errors.UnsuitableColumn, match="numbers as the values"):
        learned(items=("what", "label"), target="how")
    with pytest.raises(errors.ColumnGivenTwice):
        learned(items="label")
    infinite = events().with_columns(how=pl.lit(np.inf))
    with pytest.raises(errors.InfiniteValue):
        learned(infinite)
    empty = events().with_columns(what=pl.lit(None, pl.String))
    with pytest.raises(errors.NoItems):
        learned(empty, items="what", missing="zero")


def test_a_name_may_hold_a_colon() -> None:
    frame = events().rename({"what": "a:b"})
    assert learned(frame, items="a:b").schema.items[0].name == "a:b"
    assert [c.name for c in learned(frame, items="a:b:how").schema.items] == [
        "a:b",
        "how",
    ]


def test_the_split_may_be_said_or_cut_by_time() -> None:
    part = pl.col("who").str.slice(1).cast(pl.Int64) % 3
    names = {0: "train", 1: "validation", 2: "test"}
    frame = events().with_columns(part=part.replace_strict(names))
    dataset = learned(mixed(frame), split="part")
    for name, pieces in dataset.splits.items():
        own = frame.filter(pl.col("part") == name)["who"].unique()
        assert {dataset.keys[piece[0]] for piece in pieces.tolist()} == set(own)
    long = events(4, items=5).with_columns(
        when=pl.int_range(pl.len()).over("who") + pl.col("when") * 0,
        label=pl.when(pl.col("how") > 0).then(pl.lit("up")).otherwise(pl.lit("down")),
    )
    many = pl.concat([long.with_columns(pl.col("when") + 100 * k) for k in range(20)])
    by_time = learned(many, items="what", per="step", split="time")
    assert sum(len(pieces) for pieces in by_time.splits.values()) == 12


def test_new_rows_are_read_as_those_of_training() -> None:
    dataset, frame = learned(), events()
    strange = pl.DataFrame(
        {"who": "s0", "when": 0, "what": "never", "how": 2.0, "label": "no"}
    )
    rows = mixed(pl.concat([frame, strange]))
    schema, question = dataset.schema, dataset.question
    new = read_like(rows, schema, question, Reading(), targets=True)
    assert new.dataset.keys == dataset.keys
    for place, length in enumerate(dataset.frames.lengths.tolist()):
        one, other = (
            matrix(items_of(d), place, 0, length) for d in (new.dataset, dataset)
        )
        np.testing.assert_allclose(one, other, atol=1e-6)
    room = new.room(1)
    for place, length in enumerate(new.dataset.frames.lengths.tolist()):
        new.put(room, place, 0, np.arange(length)[:, None] + 100.0 * place)
    answers = np.concatenate([values for _, values in new.in_order(room)])[:, 0]
    for row, answer in zip(rows.iter_rows(named=True), answers.tolist(), strict=True):
        times = sorted(rows.filter(pl.col("who") == row["who"])["when"].unique())
        place = list(new.dataset.keys).index(row["who"])
        assert answer == 100.0 * place + times.index(row["when"])


def test_the_floor_is_ridge_on_how_often_items_are_named() -> None:
    found = trivial_baselines(learned(events(400), items="what"))
    assert found["majority"] < 0.7 < found["ridge on the items"]
    numbers = events(400).with_columns(
        label=pl.col("who").str.slice(1).cast(pl.Int64) % 2 * 3.0
    )
    errors_of = trivial_baselines(learned(numbers, items="what"))
    assert errors_of["ridge on the items"] < errors_of["mean"]
