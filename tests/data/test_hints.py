"""A hint where a column may say to which sequence a row belongs, and nobody said so."""

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from throughtime.cli import main
from throughtime.data import Reading, describe_data, read
from throughtime.data.hints import Identifiers
from throughtime.data.schema import Column
from throughtime.data.types import FloatArray

RANDOM = np.random.default_rng(0)
RUNS = np.repeat(np.arange(12), RANDOM.integers(3, 9, 12))


def found(values: FloatArray, at_once: int = 10**6) -> str | None:
    looked = Identifiers([Column("id")])
    for start in range(0, len(values), at_once):
        looked.take(values[start : start + at_once, None])
    return looked.found


@pytest.mark.parametrize("at_once", [1, 2, 7, 1000])
def test_what_is_constant_over_runs_and_never_comes_back_is_named(at_once: int) -> None:
    assert found(RUNS.astype(float), at_once) == "id"
    assert found(RANDOM.permutation(12)[RUNS].astype(float), at_once) == "id"


@pytest.mark.parametrize("at_once", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    "values",
    [
        np.zeros(50),
        np.arange(50.0),  # a time
        np.repeat(np.arange(25.0), 2),
        np.repeat([0.0, 1.0, 0.0], 20),  # it comes back
        np.repeat([0.5, 1.5, 2.5], 20),  # no whole numbers
        np.array([1.0, 1.0, 1.0, np.nan, 2.0, 2.0, 2.0]),
    ],
)
def test_what_is_none_is_not(values: FloatArray, at_once: int) -> None:
    assert found(values, at_once) is None


@pytest.mark.parametrize("names", ["numbers", "texts"])
def test_the_table_says_so(names: str) -> None:
    said = RUNS if names == "numbers" else [f"p{number}" for number in RUNS]
    x = RANDOM.standard_normal(len(RUNS))
    rows = pl.DataFrame({"x": x, "id": said, "y": x > 0})
    hint = f"1 of {len(RUNS)} steps: one sequence of all rows; if a column says to"
    text = str(describe_data(read(rows, Reading(target="y"))))
    assert hint in text
    assert "name it with --sequence (e.g. 'id')" in text
    assert "--sequence" not in str(
        describe_data(read(rows, Reading(target="y", sequence="id")))
    )


def test_the_baseline_that_is_told_more_says_so(tmp_path: object) -> None:
    rows = pl.DataFrame({"x": np.arange(60) % 7, "y": np.sin(np.arange(60))})
    rows.write_csv(f"{tmp_path}/t.csv")
    words = f"train {tmp_path}/t.csv --target y --epochs 1 --hidden-size 3 --quiet"
    done = CliRunner().invoke(main, [*words.split(), "--out", f"{tmp_path}/run"])
    assert done.exit_code == 0, done.output
    (line,) = [one for one in done.stdout.splitlines() if "last true value" in one]
    assert "it is told the truth of the step before, which no network is" in line


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (
            np.arange(66) % 3,
            "the target has 3 whole values: if they are classes, --task",
        ),
        (np.arange(66) % 3 + 0.5, None),
        (np.arange(66) % 30, None),
    ],
)
def test_numbers_that_may_be_classes_are_pointed_out(
    target: FloatArray, told: str | None
) -> None:
    rows = pl.DataFrame({"x": np.sin(np.arange(66)), "y": target})
    text = str(describe_data(read(rows, Reading(target="y"))))
    assert "regress" in text
    assert told in text if told else "classes" not in text
    if told:
        said = Reading(target="y", task="classify")
        assert "--task" not in str(describe_data(read(rows, said)))
