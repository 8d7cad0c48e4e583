"""Paired sign flips against other implementations, and their errors in simulations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tests.bench.comparing.scores import of_errors, of_losses, of_right
from throughtime.bench.comparing import pairing
from throughtime.bench.comparing.pairing import LEVEL, Flips, flips, holm

# Three standard errors of a share of 400 simulated experiments.
MARGIN = 3 * (0.05 * 0.95 / 400) ** 0.5


@pytest.fixture
def fewer_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "FLIPS", 399)


def ar1(n: int, rho: float, draw: np.random.Generator) -> np.ndarray:
    """A series in which each value holds a part of the one before."""
    noise, values = draw.normal(size=n + 100), np.zeros(n + 100)
    for step in range(1, n + 100):
        values[step] = rho * values[step - 1] + noise[step]
    return values[100:]


def test_a_few_pairs_are_tested_exactly_as_scipy_does() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.normal(0.4, 1, 10), draw.normal(0, 1, 10)
    found = flips(of_losses(other), of_losses(one))
    expected = stats.permutation_test(
        (one, other), lambda a, b: np.mean(a - b), permutation_type="samples"
    )
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.effect == pytest.approx(np.mean(one - other))


def test_accuracies_are_tested_as_mcnemar_did() -> None:
    draw = np.random.default_rng(1)
    one, other = draw.random(200) < 0.85, draw.random(200) < 0.78
    only, unlike = (one & ~other).sum(), (one != other).sum()
    expected = stats.binomtest(int(only), int(unlike), 0.5).pvalue
    found = flips(of_right(one), of_right(other))
    assert found.effect == pytest.approx(one.mean() - other.mean())
    # Drawn flips: four standard errors of the share of them.
    assert found.p == pytest.approx(expected, abs=4 * (expected / pairing.FLIPS) ** 0.5)


def test_the_effect_of_root_mean_squares_is_their_difference() -> None:
    draw = np.random.default_rng(2)
    one, other = draw.normal(0, 1, 50), draw.normal(0, 2, 50)
    rmse = [np.sqrt((errors**2).mean()) for errors in (one, other)]
    found = flips(of_errors(one), of_errors(other))
    assert found.effect == pytest.approx(rmse[1] - rmse[0])
    assert found.p < 0.01


def test_the_interval_agrees_with_a_bootstrap_of_the_difference() -> None:
    draw = np.random.default_rng(3)
    difference = draw.gamma(2, 1, 200) - 1.5
    found = flips(of_losses(np.zeros(200)), of_losses(difference))
    low, high = found.interval(0.05)
    other = stats.bootstrap((difference,), np.mean, method="BCa", rng=0)
    width = other.confidence_interval.high - other.confidence_interval.low
    assert low == pytest.approx(other.confidence_interval.low, abs=0.15 * width)
    assert high == pytest.approx(other.confidence_interval.high, abs=0.15 * width)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(-5, 9), min_size=7, max_size=11),
    st.sampled_from([0.05, 0.025, 0.2]),
)
def test_the_interval_leaves_zero_out_exactly_where_p_is_small(
    differences: list[int], level: float
) -> None:
    values = np.array(differences, np.float64)
    found = flips(of_losses(np.zeros(len(values))), of_losses(values))
    low, high = found.interval(level)
    assert (found.p <= level) == (not low <= 0 <= high)
    assert low <= found.effect <= high


def test_longer_sequences_weigh_more_and_stay_whole() -> None:
    sequences = np.repeat(np.arange(10), np.arange(1, 11))
    losses = np.repeat(np.arange(10.0), np.arange(1, 11))
    found = flips(of_losses(0 * losses, sequences), of_losses(losses, sequences))
    assert found.effect == pytest.approx(losses.mean())
    assert found.p == pytest.approx(2 / 2**9)  # the first differs by nothing
    assert found.units == "10 test sequences"


def test_holm_is_that_of_statsmodels_and_decides_as_its_intervals_do() -> None:
    draw = np.random.default_rng(4)
    found = [
        flips(of_losses(np.zeros(40)), of_losses(draw.normal(shift, 1, 40)))
        for shift in (0.0, 0.3, 0.45, 0.5, 1.0, -0.4)
    ]
    corrected = holm(found)
    refused, p, *_ = multipletests([one.p for one in found], LEVEL, "holm")
    assert [one.p for one in corrected] == pytest.approx(p.tolist())
    assert [one.decided for one in corrected] == refused.tolist()
    assert 0 < sum(refused) < len(found)
    assert all((one.p <= LEVEL) == one.decided for one in corrected)


@pytest.mark.usefixtures("fewer_flips")
def test_sequences_of_equal_models_are_seldom_decided() -> None:
    draw = np.random.default_rng(5)
    wrong = 0
    for seed in range(400):
        skewed = draw.exponential(size=(2, 40))  # both models the same
        wrong += decided(flips(of_losses(skewed[0]), of_losses(skewed[1]), seed))
    assert wrong / 400 <= LEVEL + MARGIN


@pytest.mark.usefixtures("fewer_flips")
def test_blocks_of_one_long_stream_are_seldom_decided() -> None:
    draw, stream = np.random.default_rng(6), np.zeros(400, np.int64)
    wrong = 0
    for seed in range(400):
        difference = ar1(400, 0.5, draw)
        zero = of_losses(np.zeros(400), stream)
        wrong += decided(flips(zero, of_losses(difference, stream), seed))
    assert wrong / 400 <= LEVEL + MARGIN


@pytest.mark.usefixtures("fewer_flips")
def test_steps_as_units_would_be_decided_too_often() -> None:
    draw = np.random.default_rng(6)
    wrong = sum(
        decided(flips(of_losses(np.zeros(400)), of_losses(ar1(400, 0.5, draw)), seed))
        for seed in range(100)
    )
    assert wrong / 100 > 2 * LEVEL


@pytest.mark.usefixtures("fewer_flips")
def test_of_several_comparisons_seldom_one_is_decided() -> None:
    draw = np.random.default_rng(7)
    wrong = 0
    for seed in range(400):
        network = draw.normal(size=40)
        found = [
            flips(of_losses(network), of_losses(draw.normal(size=40)), seed)
            for _ in range(4)
        ]
        wrong += any(one.decided for one in holm(found))
    assert wrong / 400 <= LEVEL + MARGIN


@pytest.mark.usefixtures("fewer_flips")
def test_a_clear_effect_is_found() -> None:
    draw = np.random.default_rng(8)
    found = [
        flips(of_losses(np.zeros(60)), of_losses(draw.normal(0.6, 1, 60)), seed)
        for seed in range(50)
    ]
    assert np.mean([decided(one) for one in found]) > 0.9


def test_too_few_units_leave_everything_open() -> None:
    found = flips(of_losses(np.zeros(3)), of_losses(np.ones(3)))
    assert found.interval(LEVEL) == (-np.inf, np.inf)
    assert not decided(found)


@pytest.mark.parametrize(
    ("units", "comparisons", "enough"),
    [(5, 1, False), (6, 1, True), (6, 2, False), (8, 7, False), (9, 7, True)],
)
def test_units_are_enough_if_the_least_p_decides(
    units: int, comparisons: int, enough: bool
) -> None:
    clear = flips(of_losses(np.zeros(units)), of_losses(np.ones(units)))
    found = holm([clear] * comparisons)[0]
    assert clear.p == pytest.approx(clear.least)
    assert found.enough == found.decided == enough


@pytest.mark.parametrize(("count", "steps"), [(1, 80), (4, 20), (3, 31), (9, 40)])
def test_few_sequences_are_cut_into_enough_blocks_within_them(
    count: int, steps: int
) -> None:
    sequences = np.repeat(np.arange(count), steps)
    draw = np.random.default_rng(9)
    losses = draw.normal(3, 1, count * steps)
    scored = of_losses(losses, sequences)
    starts, told = pairing._units(scored, losses - losses.mean())
    assert set(np.arange(count) * steps) <= set(starts.tolist())
    assert len(starts) >= 10 and f"{len(starts)} blocks" in told
    found = holm([flips(of_losses(0 * losses, sequences), scored)] * 7)[0]
    assert found.enough and found.decided


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_effect_of_roots_follows_their_scale(scale: float) -> None:
    draw = np.random.default_rng(2)
    one, other = draw.normal(0, 1, 50), draw.normal(0, 2, 50)
    plain = flips(of_errors(one), of_errors(other))
    scaled = flips(of_errors(scale * one), of_errors(scale * other))
    assert scaled.effect == pytest.approx(scale * plain.effect, rel=1e-6)
    assert scaled.p == plain.p


def decided(found: Flips) -> bool:
    return holm([found])[0].decided
