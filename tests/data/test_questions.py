"""What is asked follows from the columns, and every rule can be overruled."""

import numpy as np
import polars as pl
import pytest

from tests.data.tables import dataset_of
from throughtime.data import Column, Question
from throughtime.errors import ContradictoryQuestion, MixedColumns, NotAFeature

# 12 sequences of 4 steps; what is constant in each, and what changes.
NUMBERS = np.arange(48)
TABLE = pl.DataFrame(
    {
        "id": NUMBERS // 4,
        "x": np.sin(NUMBERS),
        "word": [["a", "b"][k // 4 % 2] for k in NUMBERS],
        "tag": [["p", "q", "r"][k % 3] for k in NUMBERS],
        "flag": NUMBERS % 2 == 0,
        "bit": NUMBERS // 4 % 2,
        "bit2": NUMBERS // 3 % 2,
        "count": NUMBERS // 4 % 3,
        "real": np.cos(NUMBERS // 4),
        "level": np.cos(NUMBERS),
    }
)


@pytest.mark.parametrize(
    ("target", "said", "task", "per"),
    [
        ("word", {}, "classify", "sequence"),
        ("tag", {}, "classify", "step"),
        ("flag", {}, "classify", "step"),
        ("bit", {}, "classify", "sequence"),
        (["bit", "bit2"], {}, "multilabel", "step"),
        (["flag", "bit"], {}, "multilabel", "step"),
        (["word", "bit"], {}, "classify", "sequence"),
        (["word", "tag"], {}, "classify", "step"),
        ("real", {}, "regress", "sequence"),
        (["real", "level"], {}, "regress", "step"),
        ("count", {}, "regress", "sequence"),
        ("count", {"task": "classify"}, "classify", "sequence"),
        ("bit", {"task": "multilabel"}, "multilabel", "sequence"),
        ("flag", {"task": "regress"}, "regress", "step"),
        ("word", {"per": "step"}, "classify", "step"),
    ],
)
def test_of_targets(target: object, said: dict[str, str], task: str, per: str) -> None:
    made = dataset_of(TABLE, sequence="id", features=["x"], target=target, **said)
    assert made.question == Question(task, per)
    kinds = {column.kind for column in made.schema.targets}
    expected = {"classify": "category", "multilabel": "boolean", "regress": "number"}
    assert kinds == {expected[task]}


@pytest.mark.parametrize(
    ("features", "said", "question", "predicted"),
    [
        (["x", "level"], {}, Question("forecast", "step", 1, 1), ["x", "level"]),
        (["x"], {"horizon": 3}, Question("forecast", "step", 3, 1), ["x"]),
        (["x"], {"difference": 0}, Question("forecast", "step", 1, 0), ["x"]),
        (["count"], {}, Question("forecast", "step", 1, 1), ["count"]),
        (["count"], {"task": "next"}, Question("next", "step"), ["count"]),
        (["tag"], {}, Question("next", "step"), ["tag"]),
        (["flag", "bit"], {}, Question("next", "step"), ["flag", "bit"]),
        (["bit"], {"task": "forecast"}, Question("forecast", "step", 1, 1), ["bit"]),
        (
            ["x", "tag"],
            {"task": "forecast"},
            Question("forecast", "step", 1, 1),
            ["x"],
        ),
        (["x", "bit"], {"task": "next"}, Question("next", "step"), ["bit"]),
        (
            ["x", "level"],
            {"task": "forecast", "target": "level"},
            Question("forecast", "step", 1, 1),
            ["level"],
        ),
    ],
)
def test_of_the_future(
    features: list[str], said: dict[str, object], question: Question, predicted: list
) -> None:
    made = dataset_of(TABLE, sequence="id", features=features, **said)
    assert made.question == question
    columns = made.schema.targets or made.schema.features
    assert [column.name for column in columns] == predicted
    assert bool(made.schema.targets) == (features != predicted)


def test_classes_have_names_and_places() -> None:
    made = dataset_of(TABLE, sequence="id", features=["x"], target=["tag", "flag"])
    assert made.schema.targets == (
        Column("tag", "category", ("p", "q", "r")),
        Column("flag", "category", ("false", "true")),
    )
    rows = made.frames.read(1, 0, 4)[:, 1:]
    assert rows.tolist() == [[1, 1], [2, 0], [0, 1], [1, 0]]


def test_whole_numbers_are_classes_in_their_own_order() -> None:
    table = TABLE.with_columns(pl.col("count") * 5)
    made = dataset_of(
        table, sequence="id", features=["x"], target="count", task="classify"
    )
    assert made.schema.targets[0].categories == ("0", "5", "10")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"target": "word", "task": "regress"}, "'word' holds text"),
        ({"target": "real", "task": "classify"}, "no whole numbers"),
        ({"target": "word", "task": "multilabel"}, "other values than 0 and 1"),
        ({"target": "word", "task": "clasify"}, "did you mean 'classify'"),
        ({"target": "word", "per": "steps"}, "did you mean 'step'"),
        ({"target": "word", "horizon": 2}, "is no forecast"),
        ({"target": "word", "difference": 2}, "is no forecast"),
        ({"target": "word", "split": "time"}, "one answer, which would be on both"),
        ({"target": "word", "time_difference": True}, "no column is given as time"),
        ({"task": "classify"}, "no target is given"),
        ({"per": "sequence"}, "an answer at every step"),
        ({"horizon": 0}, "at least 1"),
        ({"horizon": 1.5}, "at least 1"),
        ({"difference": -1}, "at least 0"),
        ({"task": "next"}, "no features hold symbols"),
        ({"features": ["word", "tag"], "task": "next"}, "2 features hold symbols"),
        ({"features": ["tag"], "task": "forecast"}, "no feature holds real numbers"),
    ],
)
def test_contradictions_are_refused(said: dict[str, object], says: str) -> None:
    with pytest.raises(ContradictoryQuestion, match=says):
        dataset_of(TABLE, **{"sequence": "id", "features": ["x"], **said})


def test_kinds_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(MixedColumns, match="'word' category, 'real' number"):
        dataset_of(TABLE, sequence="id", features=["x"], target=["word", "real"])
    with pytest.raises(MixedColumns, match="give a target, or features of one kind"):
        dataset_of(TABLE, sequence="id", features=["x", "word"])


def test_what_is_predicted_must_be_read() -> None:
    with pytest.raises(NotAFeature, match="'real' is given as target"):
        dataset_of(TABLE, features=["x"], target="real", task="forecast")


def test_what_trivial_methods_reach_is_of_the_same_question() -> None:
    known, further = dataset_of("co2"), dataset_of("co2", horizon=20)
    assert known.card is not None
    assert further.card is not None
    assert known.card.baselines
    assert not further.card.baselines  # measured anew
    assert dataset_of("co2", horizon=1).card == known.card
