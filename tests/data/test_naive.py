"""What is known of the next step without a network, against loops by hand."""

from itertools import pairwise
from math import isnan, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data import (
    Column,
    FramesInMemory,
    Question,
    Schema,
    SequenceDataset,
    trivial_baselines,
)

PARTS = ("train", "validation", "test")


def dataset(
    matrices: list[np.ndarray], pieces: list[list[int]], question: Question
) -> SequenceDataset:
    """Give one piece to each part, the sequences it is of included."""
    kind = "boolean" if question.task == "next" else "number"
    columns = tuple(Column(f"x{k}", kind) for k in range(matrices[0].shape[1]))
    return SequenceDataset(
        name="drawn",
        schema=Schema(columns),
        question=question,
        frames=FramesInMemory(matrices),
        keys=[str(k) for k in range(len(matrices))],
        splits={
            part: np.array([piece]) for part, piece in zip(PARTS, pieces, strict=True)
        },
    )


def labels(lengths: tuple[int, ...], seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(2, size=(t, 3)).astype(np.float32) for t in lengths]


@given(st.tuples(*[st.integers(2, 12)] * 3), st.integers(0, 99))
def test_labels_cost_what_counting_by_hand_says(
    lengths: tuple[int, ...], seed: int
) -> None:
    matrices = labels(lengths, seed)
    pieces = [[k, 0, length, 0] for k, length in enumerate(lengths)]
    drawn = dataset(matrices, pieces, Question("next", "step"))
    pairs = [pair for one in matrices[:2] for pair in pairwise(one)]
    marginal = chain = 0.0
    for last, now in pairwise(matrices[2]):
        for key in range(3):
            answers = [after[key] for _, after in pairs]
            same = [after[key] for before, after in pairs if before[key] == last[key]]
            marginal -= log((answers.count(now[key]) + 1) / (len(answers) + 2))
            chain -= log((same.count(now[key]) + 1) / (len(same) + 2))
    steps = lengths[2] - 1
    assert trivial_baselines(drawn) == pytest.approx(
        {"marginal": marginal / steps, "first-order chain": chain / steps}, rel=1e-12
    )


def test_a_label_without_truth_is_not_counted() -> None:
    matrices = labels((9, 9, 9), seed=0)
    pieces = [[k, 0, 9, 0] for k in range(3)]
    asked = Question("next", "step")
    before = trivial_baselines(dataset(matrices, pieces, asked))["marginal"]
    known = np.concatenate([matrices[0][1:], matrices[1][1:]])[:, 1]
    share = (known.sum() + 1) / (len(known) + 2)
    truth = matrices[2][4, 1]
    matrices[2][4, 1] = np.nan
    after = trivial_baselines(dataset(matrices, pieces, asked))["marginal"]
    cost = -log(share if truth else 1 - share)
    assert before - after == pytest.approx(cost / 8, rel=1e-12)


@given(
    season=st.none() | st.integers(1, 4),
    horizon=st.integers(1, 3),
    missing=st.sets(st.integers(0, 39), max_size=12),
)
def test_forecasts_err_as_counted_by_hand(
    season: int | None, horizon: int, missing: set[int]
) -> None:
    values = np.random.default_rng(1).normal(size=(40, 1))
    values[list(missing)] = np.nan
    pieces = [[0, 0, 20, 0], [0, 0, 28, 19], [0, 2, 40, 27]]
    asked = Question("forecast", "step", horizon=horizon, difference=1)
    read = values[2:, 0].tolist()
    filled = read.copy()
    for step in range(1, len(filled)):
        if isnan(filled[step]):
            filled[step] = filled[step - 1]
    last, seasonal = [], []
    for ahead in range(1, horizon + 1):
        for now in range(25, len(read) - ahead):
            last.append(read[now + ahead] - filled[now])
            back = season
            while season and back < ahead:
                back += season
            if season and now >= back:
                change = filled[now + ahead - back] - filled[now - back]
                seasonal.append(last[-1] - change)
    expected = {"persistence": last}
    if season:
        expected["seasonal difference"] = seasonal
    measured = trivial_baselines(dataset([values], pieces, asked), season)
    assert measured == pytest.approx(
        {name: rms(errors) for name, errors in expected.items()}, rel=1e-12
    )


def rms(errors: list[float]) -> float:
    known = [error for error in errors if not isnan(error)]
    return sqrt(sum(error**2 for error in known) / len(known))


def test_what_is_learned_from_is_each_step_once() -> None:
    # One sequence split by time: the context of a piece is read, but not counted.
    [values] = labels((30,), seed=2)
    asked = Question("next", "step")
    by_time = dataset([values], [[0, 0, 15, 0], [0, 0, 20, 14], [0, 0, 30, 19]], asked)
    whole = [values[:20], values[19:], np.zeros((1, 3), np.float32)]
    pieces = [[0, 0, 20, 0], [2, 0, 1, 0], [1, 0, 11, 0]]
    expected = trivial_baselines(dataset(whole, pieces, asked))
    assert trivial_baselines(by_time) == pytest.approx(expected, rel=1e-12)
