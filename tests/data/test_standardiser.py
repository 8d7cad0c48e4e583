"""The standardiser knows the training part and nothing else."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime import errors
from throughtime.data import FloatArray, FramesInMemory, Part, Standardiser, load

SEQUENCES = [np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[5.0, 5.0]])]


def test_every_step_weighs_the_same_and_constants_keep_their_scale() -> None:
    standardiser = Standardiser.fit(SEQUENCES)
    assert standardiser.mean == (3.0, 5.0)
    assert standardiser.std == pytest.approx(((8 / 3) ** 0.5, 1.0))
    assert standardiser(np.array([[3.0, 7.0]])).tolist() == [[0.0, 2.0]]


def test_training_digits_have_mean_0_and_deviation_1() -> None:
    digits = load("spoken-digits")
    standardiser = Standardiser.fit(digits.part("train"))
    frames = np.concatenate([standardiser(s) for s in digits.part("train")])
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames.mean(axis=0, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(frames.std(axis=0, dtype=float), 1, atol=1e-6)
    assert Standardiser.fit(digits.part("test")) != standardiser


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_input_stays_and_its_dtype_too(dtype: type) -> None:
    given = np.array([[1.0, 2.0]], dtype)
    result = Standardiser.fit(SEQUENCES)(given)
    assert given.tolist() == [[1.0, 2.0]]
    assert result.dtype == dtype


def test_a_constant_that_rounds_is_constant() -> None:
    standardiser = Standardiser.fit([np.full((7, 1), 0.1)])
    assert standardiser == Standardiser((0.1,), (1.0,))


numbers = st.floats(-1e300, 1e300)


@given(st.lists(st.tuples(numbers, st.floats(1e-300, 1e300)), max_size=5))
def test_json_keeps_every_bit(pairs: list[tuple[float, float]]) -> None:
    standardiser = Standardiser(
        tuple(mean for mean, _ in pairs), tuple(std for _, std in pairs)
    )
    stored = json.loads(json.dumps(standardiser.to_json()))
    assert Standardiser.from_json(stored) == standardiser


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ({}, "no list `mean`"),
        ([], "no list `mean`"),
        ({"mean": [0.0]}, "no list `std`"),
        ({"mean": [0.0], "std": [1.0, 2.0]}, "1 means, 2 deviations"),
        ({"mean": [0.0], "std": [0.0]}, "not above 0"),
        ({"mean": ["0"], "std": [1.0]}, "`mean` holds '0'"),
        ({"mean": [True], "std": [1.0]}, "`mean` holds True"),
        ({"mean": [0.0], "std": [float("nan")]}, "`std` holds nan"),
    ],
)
def test_a_damaged_one_is_refused(stored: object, says: str) -> None:
    with pytest.raises(errors.BadStandardiser, match=says):
        Standardiser.from_json(stored)


def test_nothing_to_measure_is_refused() -> None:
    for sequences in ([], [np.zeros((0, 3))]):
        with pytest.raises(errors.NoTrainingSteps):
            Standardiser.fit(sequences)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_a_number_that_is_none_is_located(value: float) -> None:
    sequences = [np.zeros((2, 3)), np.zeros((4, 3))]
    sequences[1][3, 2] = value
    with pytest.raises(
        errors.NonFiniteFeature, match=r"Sequence 1 .* step 3, feature 2"
    ):
        Standardiser.fit(sequences)


def test_missing_values_do_not_count() -> None:
    sequences = [np.array([[1.0, np.nan], [np.nan, 4.0]]), np.array([[3.0, np.nan]])]
    assert Standardiser.fit(sequences) == Standardiser((2.0, 4.0), (1.0, 1.0))


def test_a_feature_without_values_is_refused() -> None:
    with pytest.raises(errors.FeatureWithoutValues, match="Feature 1"):
        Standardiser.fit([np.array([[1.0, np.nan], [2.0, np.nan]])])


@given(st.lists(st.integers(0, 7), min_size=1, max_size=9))
def test_it_is_what_all_steps_together_give(lengths: list[int]) -> None:
    generator = np.random.default_rng(len(lengths))
    sequences = [generator.standard_normal((n, 3)) for n in [2, *lengths]]
    together = np.concatenate(sequences)
    standardiser = Standardiser.fit(sequences)
    assert standardiser.mean == pytest.approx(together.mean(axis=0), abs=1e-14)
    assert standardiser.std == pytest.approx(together.std(axis=0), rel=1e-13)


def test_a_long_piece_is_read_in_stretches() -> None:
    longest = 0

    class Watched(FramesInMemory):
        def read(self, sequence: int, start: int, stop: int) -> FloatArray:
            nonlocal longest
            longest = max(longest, stop - start)
            return super().read(sequence, start, stop)

    steps = np.random.default_rng(0).standard_normal((200_000, 2))
    pieces = np.array([[0, 10, 200_000, 10]])
    standardiser = Standardiser.fit(Part(Watched([steps]), pieces, [1]))
    assert longest <= 65_536
    assert standardiser.mean[0] == pytest.approx(steps[10:, 1].mean(), abs=1e-14)
    assert standardiser.std[0] == pytest.approx(steps[10:, 1].std(), rel=1e-13)


def test_other_features_are_refused() -> None:
    standardiser = Standardiser.fit(SEQUENCES)
    for wrong in (np.zeros((4, 3)), np.zeros(2)):
        with pytest.raises(errors.FeatureCountMismatch, match=r"expected \(T, 2\)"):
            standardiser(wrong)
    with pytest.raises(errors.FeatureCountMismatch):
        Standardiser.fit([np.zeros((4, 3)), np.zeros((4, 1))])
