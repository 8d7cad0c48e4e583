"""Influence balancing: the published table, and what truncation makes of it."""

from statistics import fmean, stdev

import pytest
import torch

from throughtime.bench import influence_balancing as task
from throughtime.train.truncation import TBPTT, RandomTruncation

# As printed, to the last of its digits.
TABLE = {1: 1.0, 10: 10.0, 20: 16.48, 40: 0.57, 60: -5.897, 100: -6.0}
STANDARD_ERRORS = 4
STEPS, MEAN_LENGTH = 150, 20


@pytest.mark.parametrize("steps", TABLE)
def test_the_slope_is_the_published_one(steps: int) -> None:
    assert task.truncated_slope(steps) == pytest.approx(TABLE[steps], abs=5e-3)


def test_the_sign_flips_at_41_steps() -> None:
    assert task.truncated_slope(task.FIRST_RIGHT - 1) > 0
    assert task.truncated_slope(task.FIRST_RIGHT) < 0
    assert task.truncated_slope(200) == pytest.approx(task.WHOLE_SLOPE, abs=1e-6)


def scores(samples: int, every: int) -> tuple[float, float]:
    """Standard scores of the mean of random truncation, and of TBPTT as long."""
    module = task.system(theta=0.5)
    whole = task.total_gradient(TBPTT(module, STEPS), STEPS)
    generator = torch.Generator().manual_seed(0)
    rule = RandomTruncation(module, MEAN_LENGTH, every=every, generator=generator)
    found = [task.total_gradient(rule, STEPS) for _ in range(samples)]
    error = stdev(found) / samples**0.5
    truncated = task.total_gradient(TBPTT(module, MEAN_LENGTH), STEPS)
    return (fmean(found) - whole) / error, (truncated - whole) / error


def test_random_truncation_is_unbiased_and_truncation_is_not() -> None:
    random, fixed = scores(samples=200, every=10)
    assert abs(random) < STANDARD_ERRORS
    assert abs(fixed) > 10


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_random_truncation_is_unbiased_with_many_samples() -> None:
    random, fixed = scores(samples=2000, every=5)
    assert abs(random) < STANDARD_ERRORS
    assert abs(fixed) > 10


def test_a_short_truncation_climbs_and_a_long_or_random_one_descends() -> None:
    """The loss is ½ before any learning."""

    def end(make: object) -> float:
        torch.manual_seed(0)
        return task.learn(make, 1500, 1e-4)[-100:].mean().item()  # type: ignore[arg-type]

    assert end(lambda module: TBPTT(module, 10, 30)) > 100
    assert end(lambda module: TBPTT(module, 10, 100)) < 0.01
    assert end(lambda module: RandomTruncation(module, 40, every=10)) < 0.1
