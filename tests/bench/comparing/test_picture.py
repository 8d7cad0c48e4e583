"""The picture of a comparison."""

import pytest

from throughtime.bench.comparing.picture import shown


def test_one_model_far_from_all_does_not_stretch_the_axis() -> None:
    low, high = shown([0.51, 1.97, 0.39, 0.4, 0.45, 0.42, 0.5])
    assert low < 0.39 and 0.51 < high < 1.97


@pytest.mark.parametrize("values", [[0.3, 0.9], [1.0, 1.0], [0.1, 0.5, 0.9], [2.0]])
def test_of_few_or_alike_all_are_shown(values: list[float]) -> None:
    low, high = shown(values)
    assert low <= min(values) and max(values) <= high
