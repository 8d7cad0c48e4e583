"""Reading columns: gaps, indicators, categories, scales and changes."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data import Column
from throughtime.errors import FeatureCountMismatch, ValueMissing
from throughtime.train.preparing.readers import Read, earlier, later, since
from throughtime.train.preparing.scales import Moments, Scale

NAN = float("nan")
NUMBER, FLAG = Column("x"), Column("flag", "boolean")
ANIMAL = Column("animal", "category", ("ant", "bee", "cow"))
EVERYTHING = (ANIMAL, NUMBER, FLAG)
SCALE = Scale((0.5, 10.0, 0.25), (9.0, 4.0, 9.0))


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


def read(reader: Read, values: torch.Tensor) -> list[list[float]]:
    return reader(values, torch.float64)[:, 0].tolist()


def test_channels_are_numbers_then_categories_then_gaps() -> None:
    reader = Read(EVERYTHING, SCALE, gaps=(True, False, True), missing="mean")
    frame = torch.tensor([[1.0, 18.0, 1.0], [NAN, NAN, NAN], [-1.0, 6.0, 0.0]])
    assert read(reader, frame[:, None]) == [
        [2.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.25, 0.0, 0.0, 0.0, 1.0, 1.0],
        [-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
    assert reader.size == 7


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("forward", [10.0, 1.0, 1.0, 1.0, 5.0, 5.0]),
        ("mean", [10.0, 1.0, 10.0, 10.0, 5.0, 10.0]),
        ("zero", [0.0, 1.0, 0.0, 0.0, 5.0, 0.0]),
    ],
)
def test_gaps_are_filled_as_was_asked(missing: Any, expected: list[float]) -> None:
    reader = Read([NUMBER], Scale((10.0,), (4.0,)), missing=missing)
    values = column(NAN, 1.0, NAN, NAN, 5.0, NAN)
    assert reader.fill(values).flatten().tolist() == expected
    scaled = [(value - 10.0) / 4.0 for value in expected]
    assert reader(values, torch.float64).flatten().tolist() == scaled


def test_what_goes_on_is_filled_from_the_step_before() -> None:
    reader = Read([NUMBER, ANIMAL], Scale((10.0, 0.0), (4.0, 1.0)), missing="forward")
    values = torch.randn(9, 3, 2).double()
    values[torch.rand(9, 3, 2) < 0.6] = NAN
    whole = reader.fill(values)
    for cut in (1, 4, 8):
        before = reader.fill(values[:cut])
        after = reader.fill(values[cut:], before[-1])
        assert torch.equal(torch.cat([before, after]), whole)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_each_sequence_of_a_batch_is_read_as_alone(seed: int, steps: int) -> None:
    draw = np.random.default_rng(seed)
    values = np.stack(
        [draw.integers(-1, 3, (steps, 4)), draw.normal(9, 3, (steps, 4))], -1
    ).astype(float)
    values[draw.random(values.shape) < 0.3] = NAN
    reader = Read((ANIMAL, NUMBER), SCALE, gaps=(True, True), missing="forward")
    together = reader(torch.from_numpy(values), torch.float64)
    for row in range(4):
        alone = reader(torch.from_numpy(values[:, row : row + 1]), torch.float64)
        assert torch.equal(together[:, row : row + 1], alone)


def test_a_missing_value_without_a_word_is_refused_by_name() -> None:
    reader = Read([NUMBER, FLAG], Scale((0.0, 0.0), (1.0, 1.0)))
    values = torch.zeros(4, 2, 2)
    values[3, 1, 1] = NAN
    with pytest.raises(ValueMissing, match="batch, row 1, step 3, column 'flag' has"):
        reader.check(values)
    reader.check(values, torch.tensor([4, 3]))  # behind the end nothing is read
    with pytest.raises(FeatureCountMismatch, match="expected"):
        reader.check(torch.zeros(4, 2, 3))


def test_categories_may_be_learned_vectors() -> None:
    reader = Read([ANIMAL], Scale((0.0,), (1.0,)), embedding=5, dtype=torch.float64)
    [table] = reader.tables
    vectors = reader(column(2.0, -1.0, 0.0), torch.float64)[:, 0]
    expected = torch.stack([table.weight[2], torch.zeros(5), table.weight[0]])
    assert torch.equal(vectors, expected)
    vectors.sum().backward()
    assert table.weight.grad[:, 0].tolist() == [1.0, 0.0, 1.0]


def test_numbers_may_be_read_as_changes() -> None:
    changes = Scale((1.0,), (2.0,))
    scale = Scale((0.0, 0.0, 4.0), (1.0, 1.0, 8.0))
    reader = Read(
        [FLAG, NUMBER, Column("other")],
        scale,
        missing="forward",
        difference=2,
        changing=[1],
        changes=changes,
    )
    frame = torch.tensor(
        [[0.0, 5.0, 4.0], [1.0, 6.0, 4.0], [1.0, NAN, 4.0], [0.0, 12.0, 12.0]]
    )
    assert read(reader, frame[:, None]) == [
        [0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [1.0, (6.0 - 5.0 - 1.0) / 2.0, 0.0],
        [0.0, (12.0 - 6.0 - 1.0) / 2.0, 1.0],
    ]


def test_steps_earlier_and_later_end_where_the_sequence_does() -> None:
    values = column(1.0, 2.0, 4.0)
    for steps in (0, 1, 2, 3, 9):
        back, ahead = (f(values, steps).flatten().tolist() for f in (earlier, later))
        for t in range(3):
            inside = t - steps >= 0
            assert back[t] == values[t - steps] if inside else np.isnan(back[t])
            inside = t + steps < 3
            assert ahead[t] == values[t + steps] if inside else np.isnan(ahead[t])
    assert since(values, 1).flatten()[1:].tolist() == [1.0, 2.0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 60))
def test_moments_of_parts_are_those_of_the_whole(
    seed: int, parts: int, rows: int
) -> None:
    draw = np.random.default_rng(seed)
    values = draw.normal(1e6, 1, (rows + parts, 3))
    values[:, 1] = 1e6 / 3
    values[draw.random(values.shape) < 0.2] = np.nan
    moments = Moments(3)
    for part in np.array_split(values, parts):
        moments.add(part)
    scale = moments.scale()
    for place in range(3):
        known = values[:, place][~np.isnan(values[:, place])]
        assert moments.gaps[place] == (len(known) < len(values))
        if not len(known):
            assert (scale.mean[place], scale.std[place]) == (0.0, 1.0)
        elif known.min() == known.max():
            assert (scale.mean[place], scale.std[place]) == (known[0], 1.0)
        else:
            assert scale.mean[place] == pytest.approx(known.mean(), rel=1e-13)
            assert scale.std[place] == pytest.approx(known.std(), rel=1e-8)


def test_scales_survive_json_and_damage_is_told() -> None:
    scale = Scale((1 / 3, 2.0), (0.1, 1e-300))
    stored = json.loads(json.dumps(scale.to_json()))
    assert Scale.from_json(stored, 2) == scale
    for damaged in (
        None,
        {},
        {**stored, "std": [1.0]},
        {**stored, "std": [1.0, 0.0]},
        {**stored, "mean": [1.0, "x"]},
        {**stored, "mean": [1.0, True]},
        {**stored, "mean": [1.0, NAN]},
    ):
        with pytest.raises(ValueError, match=r"mean|std|deviation"):
            Scale.from_json(damaged, 2)
    with pytest.raises(ValueError, match="no list of 3"):
        Scale.from_json(stored, 3)
