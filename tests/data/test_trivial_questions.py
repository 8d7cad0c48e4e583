"""Trivial methods for every question, against numbers worked out by hand."""

from collections.abc import Sequence
from math import log, log2, sqrt

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from throughtime.data import (
    Column,
    FramesInMemory,
    Question,
    Schema,
    SequenceDataset,
    naive_error,
    trivial_baselines,
    whole,
)
from throughtime.data.trivial import counted

NAN = np.nan
X = Column("x")


def dataset(
    question: Question,
    features: Sequence[Column],
    targets: Sequence[Column],
    fitted: Sequence[Sequence[Sequence[float]]],
    test: Sequence[Sequence[Sequence[float]]],
) -> SequenceDataset:
    """Sequences of rows: all but the last fitted one for training."""
    matrices = [np.array(one, dtype=np.float64) for one in [*fitted, *test]]
    frames, places = FramesInMemory(matrices), np.arange(len(matrices))
    last, end = len(fitted) - 1, len(fitted)
    parts = {
        "train": places[:last],
        "validation": places[last:end],
        "test": places[end:],
    }
    return SequenceDataset(
        name="by hand",
        schema=Schema(tuple(features), tuple(targets)),
        question=question,
        frames=frames,
        keys=[str(place) for place in places],
        splits={part: whole(each, frames.lengths) for part, each in parts.items()},
    )


def columns(rows: Sequence[Sequence[float]]) -> list[list[list[float]]]:
    """Give each sequence of numbers as a matrix of one column."""
    return [[[value] for value in row] for row in rows]


def cut_in_time(whole_series: Sequence[float], question: Question) -> SequenceDataset:
    """One series: six steps to learn from, two of validation, the rest to test."""
    frames = FramesInMemory([np.array(whole_series, dtype=np.float64)[:, None]])
    end = len(whole_series)
    pieces = {"train": (0, 6, 0), "validation": (0, 8, 6), "test": (0, end, 8)}
    return SequenceDataset(
        name="series",
        schema=Schema((X,)),
        question=question,
        frames=frames,
        keys=["0"],
        splits={part: np.array([[0, *piece]]) for part, piece in pieces.items()},
    )


def test_the_most_frequent_class_of_steps() -> None:
    target = Column("y", "category", ("a", "b", "c"))
    fitted = [[[0, 2], [0, 1], [0, 2]], [[0, 2], [0, NAN], [0, 0]]]
    data = dataset(
        Question("classify", "step"), [X], [target], fitted, [[[0, 2], [0, 0], [0, 2]]]
    )
    assert trivial_baselines(data) == {"majority": pytest.approx(2 / 3)}


def test_several_targets_share_one_mean() -> None:
    targets = [
        Column("y", "category", ("a", "b")),
        Column("z", "category", ("no", "yes")),
    ]
    fitted = [[[0, 1, 0]], [[0, 1, 0]]]
    data = dataset(
        Question("classify", "step"), [X], targets, fitted, [[[0, 1, 1], [0, 0, 1]]]
    )
    assert trivial_baselines(data) == {"majority": pytest.approx((1 / 2 + 0) / 2)}


def test_ridge_reads_categories_and_leaves_out_what_is_missing() -> None:
    features = [X, Column("colour", "category", ("red", "blue")), Column("still")]
    target = Column("y", "category", ("a", "b"))
    random = np.random.default_rng(0)

    def sequence(label: int) -> list[list[float]]:
        # The class is the more frequent colour; x says nothing, a third of it is gone.
        colours = [label, label, 1 - label]
        return [
            [NAN if step == 1 else random.normal(), colour, 5.0, label]
            for step, colour in enumerate(colours)
        ]

    fitted = [sequence(k % 2) for k in range(20)]
    test = [sequence(k % 3 > 0) for k in range(9)]
    data = dataset(Question("classify", "sequence"), features, [target], fitted, test)
    measured = trivial_baselines(data)
    assert measured["majority"] == pytest.approx(3 / 9)
    assert measured["ridge on the mean"] == 1
    assert measured["ridge on mean and deviation"] == 1


def test_frequencies_of_labels_per_step() -> None:
    targets = [Column("a", "boolean"), Column("b", "boolean")]
    fitted = [[[0, 1, 0], [0, 1, NAN]], [[0, 1, 1]]]
    truth = [[0, 1, 0], [0, 0, 1], [0, 1, NAN]]
    data = dataset(Question("multilabel", "step"), [X], targets, fitted, [truth])
    # Frequencies (3 + 1)/(3 + 2) and (1 + 1)/(2 + 2); the last step is not whole.
    expected = roc_auc_score([1, 0, 0, 1], [0.8, 0.8, 0.5, 0.5])
    assert trivial_baselines(data) == {"marginal": pytest.approx(expected)}


def test_labels_per_sequence() -> None:
    targets = [Column("a", "boolean"), Column("b", "boolean")]
    random = np.random.default_rng(1)

    def sequence() -> list[list[float]]:
        x = random.normal(size=4) + 3 * random.integers(0, 2)
        return [[value, float(x.mean() > 1.5), 1.0] for value in x]

    fitted, test = [sequence() for _ in range(20)], [sequence() for _ in range(20)]
    fitted[0] = [[*row[:2], 0.0] for row in fitted[0]]
    data = dataset(Question("multilabel", "sequence"), [X], targets, fitted, test)
    measured = trivial_baselines(data)
    assert measured["ridge on the mean"] > measured["marginal"] > 0.5
    silent = dataset(
        Question("multilabel", "sequence"), [X], targets, fitted, [[[0, 0, 0]]]
    )
    assert trivial_baselines(silent) == {}


def test_the_next_labels_by_hand() -> None:
    keys = [Column("c", "boolean"), Column("e", "boolean")]
    fitted = [[[1, 0], [1, 0], [0, 1]], [[0, 0], [1, NAN]]]
    test = [[[1, 0], [0, NAN], [1, 1]], [[1, 1]]]
    data = dataset(Question("next", "step"), keys, [], fitted, test)
    # c came as 1, 0, 1 and e as 0, 1, once nobody knows.
    c, e = 3 / 5, 2 / 4
    marginal = -log(1 - c) - log(c) - log(e)
    # c: after 1 came 1 and 0, after 0 came 1. e: after 0, or after what nobody knows,
    # came 0 and 1.
    c_after_1, c_after_0, e_after_none = 2 / 4, 2 / 3, 2 / 4
    chain = -log(1 - c_after_1) - log(c_after_0) - log(e_after_none)
    assert trivial_baselines(data) == {
        "marginal": pytest.approx(marginal / 2),
        "first-order chain": pytest.approx(chain / 2),
    }


def test_the_next_symbols_by_hand() -> None:
    symbol = Column("s", "category", ("a", "b", "c"))
    fitted = columns([[0, 1, 0, 1], [0, 0, -1, 2]])
    data = dataset(
        Question("next", "step"), [symbol], [], fitted, columns([[0, 1, NAN, 2, 0]])
    )
    # Seven known symbols, three possible ones: a 4, b 2, c 1.
    a, b = 5 / 10, 3 / 10
    # a was followed by b, b and a; b by a; c by none.
    b_after_a = (2 + 2 * b) / (3 + 2)
    a_after_c = (0 + 1 * a) / (0 + 1)
    assert trivial_baselines(data) == {
        "unigram": pytest.approx(-(log2(b) + log2(a)) / 2),
        "bigram": pytest.approx(-(log2(b_after_a) + log2(a_after_c)) / 2),
    }


def test_numbers_per_step_by_hand() -> None:
    targets = [Column("y")]
    fitted = [[[0, 1], [0, 2]], [[0, NAN], [0, 6]]]
    test = [[[0, 4], [0, NAN], [0, 6]], [[0, 2]]]
    data = dataset(Question("regress", "step"), [X], targets, fitted, test)
    # The mean is 3; the third value is compared with the first, the last known.
    assert trivial_baselines(data) == {
        "mean": pytest.approx(sqrt((1 + 9 + 1) / 3)),
        "last true value": pytest.approx(sqrt((1 + 4 + 1) / 3)),
    }


def test_numbers_per_sequence_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    targets = [Column("y"), Column("z")]

    def sequence() -> list[list[float]]:
        x, level = random.normal(size=5), random.normal()
        y, z = 3 * level + x.std() + random.normal() / 10, -level
        return [[value + level, y, z] for value in x]

    fitted, test = [sequence() for _ in range(30)], [sequence() for _ in range(10)]
    fitted[3] = [[x, NAN, z] for x, _, z in fitted[3]]
    data = dataset(Question("regress", "sequence"), [X], targets, fitted, test)
    known, asked = (
        np.array([[np.mean(x), np.std(x)] for x in [np.array(s)[:, 0] for s in part]])
        for part in (fitted, test)
    )
    level, scale = known.mean(axis=0), known.std(axis=0)
    known, asked = (known - level) / scale, (asked - level) / scale
    truth, goals = (np.array([s[0][1:] for s in part]) for part in (test, fitted))
    errors = []
    for goal, true in zip(goals.T, truth.T, strict=True):
        rows = ~np.isnan(goal)
        judge = Ridge(1.0).fit(known[rows], goal[rows])
        errors.append(judge.predict(asked) - true)
    measured = trivial_baselines(data)
    expected = np.sqrt(np.mean(np.square(errors)))
    assert measured["ridge on mean and deviation"] == pytest.approx(expected)
    mean = np.sqrt(np.mean((np.nanmean(goals, axis=0) - truth) ** 2))
    assert measured["mean"] == pytest.approx(mean)


def test_a_forecast_of_one_series_by_hand() -> None:
    series = [1, 2, 4, 2, 1, 2, 4, 8, 5, NAN, 6, 9]
    data = cut_in_time(series, Question("forecast", "step", 1, 1))
    # Answers at the steps 8, 9 and 10, of the next; that of step 8 nobody knows.
    persistence = pytest.approx(sqrt((1**2 + 3**2) / 2))
    assert trivial_baselines(data) == {"persistence": persistence}
    levels = cut_in_time(series, Question("forecast", "step"))
    assert trivial_baselines(levels) == {
        "mean": pytest.approx(sqrt((3**2 + 6**2) / 2)),
        "persistence": persistence,
    }
    assert naive_error(data) == pytest.approx([(1 + 2 + 2 + 1 + 1) / 5])


def test_a_forecast_with_a_season_by_hand() -> None:
    series = [1, 2, 4, 2, 1, 2, 4, 8, 5, 7, 6, 9]
    data = cut_in_time(series, Question("forecast", "step", 3, 2))
    # At step 8 of 7, 6, 9; at step 9 of 6, 9; at step 10 of 9.
    persistence = [7 - 5, 6 - 5, 9 - 5, 6 - 7, 9 - 7, 9 - 6]
    # Two steps before, or four where two are not past yet.
    seasonal = [7 - 8, 6 - 5, 9 - 8, 6 - 5, 9 - 7, 9 - 7]
    measured = trivial_baselines(data)
    assert measured["persistence"] == pytest.approx(
        sqrt(np.mean(np.square(persistence)))
    )
    assert measured["seasonal naive"] == pytest.approx(
        sqrt(np.mean(np.square(seasonal)))
    )
    assert naive_error(data) == pytest.approx([(3 + 0 + 3 + 0) / 4])


def test_of_a_column_of_which_nothing_is_known_nothing_is_said() -> None:
    data = cut_in_time([NAN] * 12, Question("forecast", "step", 1, 1))
    assert trivial_baselines(data) == {}
    assert np.isnan(naive_error(data)).all()


def test_only_numbers_are_forecast_and_targets_before_other_features() -> None:
    features = [Column("x"), Column("flag", "boolean"), Column("y")]
    rows = [[[0, 1, 1], [0, 0, 2], [0, 1, 4]]]
    data = dataset(Question("forecast", "step", 1, 1), features, [], rows * 2, rows)
    every = sqrt((0 + 1 + 0 + 4) / 4)
    assert trivial_baselines(data) == {"persistence": pytest.approx(every)}
    assert naive_error(data) == pytest.approx([0, 1.5])
    data = dataset(
        Question("forecast", "step", 1, 1), features, [features[2]], rows * 2, rows
    )
    of_y = sqrt((1 + 4) / 2)
    assert trivial_baselines(data) == {"persistence": pytest.approx(of_y)}
    assert naive_error(data) == pytest.approx([1.5])


@pytest.mark.parametrize(
    "question",
    [Question("forecast", "step", 3, 2), Question("next", "step")],
    ids=["forecast", "next"],
)
def test_long_sequences_are_read_in_parts(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    rows = random.integers(0, 2, (3, 200, 2)).astype(float)
    rows[random.random(rows.shape) < 0.1] = NAN
    kind = "boolean" if question.task == "next" else "number"
    names = [Column("a", kind), Column("b", kind)]
    data = dataset(question, names, [], rows[:2].tolist(), rows[2:].tolist())
    at_once = trivial_baselines(data)
    monkeypatch.setattr(counted, "_AT_ONCE", 7)
    assert trivial_baselines(data) == pytest.approx(at_once, rel=1e-12)
