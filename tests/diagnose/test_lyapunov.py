"""Lyapunov exponents against what is known of them exactly."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from throughtime.cells import LSTM, Elman, Feedforward
from throughtime.diagnose import Spectrum, jacobians, lyapunov_spectrum
from throughtime.errors import NothingCarried, UnfitMeasurement
from throughtime.nn import Recurrent

DOUBLE = torch.float64


def network(weight: Tensor, activation: str = "tanh", **settings: Any) -> Recurrent:
    """An Elman network of one input without biases, whose recurrent matrix is given."""
    module = Recurrent(
        Elman(activation), 1, len(weight), bias=False, dtype=DOUBLE, **settings
    )
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(weight)
    return module


def drawn(units: int, seed: int = 0) -> Tensor:
    """A matrix whose spectral radius is about 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(units, units, generator=generator, dtype=DOUBLE) / units**0.5


def spectrum(module: Recurrent, steps: int, **settings: Any) -> Spectrum:
    """Without input, from a drawn state."""
    start = torch.randn(
        1, 1, module.hidden_size, generator=torch.Generator().manual_seed(7)
    )
    return lyapunov_spectrum(module, torch.zeros(steps, 1, 1), start, **settings)[0, 0]


def logarithms(weight: Tensor) -> np.ndarray:
    found = torch.linalg.eigvals(weight).abs().log()
    return found.sort(descending=True).values.numpy()


def test_of_a_linear_network_they_are_those_of_its_eigenvalues(backend: str) -> None:
    weight = 0.9 * drawn(8, seed=3)
    found = spectrum(network(weight, "identity", backend=backend), 1500)
    assert np.abs(found.exponents - logarithms(weight)).max() < 0.005
    assert abs(found.exponents[0] - logarithms(weight)[0]) < 0.005


def test_of_a_scaled_orthogonal_matrix_all_are_the_logarithm_of_the_scale() -> None:
    orthogonal, _ = torch.linalg.qr(drawn(12))
    found = spectrum(network(0.9 * orthogonal, "identity"), 50, transient=0)
    assert np.abs(found.exponents - np.log(0.9)).max() < 1e-12
    assert found.horizon == pytest.approx(-1 / np.log(0.9))
    assert found.kaplan_yorke == 0 and found.entropy_rate == 0


@pytest.mark.parametrize("cell", [Elman(), LSTM()], ids=repr)
def test_their_sum_is_the_mean_logarithm_of_the_determinant(cell: Any) -> None:
    torch.manual_seed(0)
    module = Recurrent(cell, 2, 5, dtype=DOUBLE)
    x = torch.randn(40, 3, 2, dtype=DOUBLE)
    found = lyapunov_spectrum(module, x, transient=5)[0, 0]
    determinants = torch.linalg.slogdet(jacobians(module, x)[0, 0][5:]).logabsdet
    assert found.exponents.sum() == pytest.approx(determinants.mean().item(), abs=1e-9)
    assert found.exponents.shape == (found.size,)
    rows = determinants.mean(0).numpy()
    assert np.allclose(found.by_sequence.sum(1), rows, atol=1e-9)


def test_a_tanh_network_that_comes_to_rest_has_those_of_its_matrix() -> None:
    weight = 0.8 * drawn(100)
    found = spectrum(network(weight), 1500, exponents=2)
    assert abs(found.exponents[0] - logarithms(weight)[0]) < 0.005


def test_two_random_tanh_networks_are_chaotic() -> None:
    _chaotic([0, 1], steps=800)


@pytest.mark.slow
def test_ten_random_tanh_networks_are_chaotic() -> None:
    _chaotic(range(10), steps=1500)


def _chaotic(seeds: Any, steps: int) -> None:
    for seed in seeds:
        found = spectrum(network(2.5 * drawn(100, seed)), steps, exponents=3)
        assert 0.15 <= found.exponents[0] <= 0.26, (seed, found.exponents)


def test_running_estimates_end_in_the_result() -> None:
    module = network(1.5 * drawn(6))
    found = spectrum(module, 100, exponents=3, transient=10, every=4)
    assert found.running.shape == (22, 3) and found.exponents.shape == (3,)
    assert found.measured.tolist() == list(range(14, 101, 4))
    assert np.array_equal(found.running[-1], found.exponents)
    assert (np.diff(found.exponents) <= 0).all()
    rare = spectrum(module, 94, exponents=3, transient=10, every=4).exponents
    often = spectrum(module, 94, exponents=3, transient=10).exponents
    # What is orthogonal is so after any number of steps.
    assert np.allclose(rare, often, atol=1e-9)


def test_each_sequence_counts_as_long_as_it_is() -> None:
    torch.manual_seed(0)
    module = Recurrent(LSTM(), 2, 3, 2, bidirectional=True, dtype=DOUBLE)
    x = torch.randn(30, 3, 2, dtype=DOUBLE)
    lengths = [30, 4, 17]
    settings = {"exponents": 2, "transient": 5}
    ragged = lyapunov_spectrum(module, x, lengths=lengths, **settings)
    assert list(ragged) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for place, found in ragged.items():
        alone = [
            lyapunov_spectrum(module, x[:count, b : b + 1], **settings)[place]
            for b, count in [(0, 30), (2, 17)]
        ]
        own = np.stack([one.by_sequence[0] for one in alone])
        # In the order of the mean, as all that is given.
        own = np.sort(own)[:, ::-1]
        assert np.allclose(np.sort(found.by_sequence[[0, 2]])[:, ::-1], own)
        assert np.isnan(found.by_sequence[1]).all()
        pooled = (25 * own[0].sum() + 12 * own[1].sum()) / 37
        assert found.exponents.sum() == pytest.approx(pooled)


def made(exponents: list[float], size: int) -> Spectrum:
    values = np.array(exponents)
    return Spectrum(values, values[None], np.array([1]), values[None], size)


def test_dimension_entropy_and_horizon_by_hand() -> None:
    found = made([0.3, 0.1, -0.2, -0.5, -1.0], 5)
    assert found.kaplan_yorke == pytest.approx(3 + 0.2 / 0.5)
    assert found.entropy_rate == pytest.approx(0.4)
    assert found.horizon == pytest.approx(1 / 0.3)
    assert made([0.3, 0.1, -0.2, -0.5], 5).kaplan_yorke == pytest.approx(3.4)
    assert made([-0.25, -1.0], 2).kaplan_yorke == 0
    assert made([0.5, -0.25], 2).kaplan_yorke == 2
    assert made([0.5, -np.inf], 2).kaplan_yorke == 1
    assert made([0.0, 0.0], 2).horizon == np.inf
    assert np.isnan(made([0.5, -0.25], 3).kaplan_yorke)
    assert np.isnan(made([0.5, 0.25], 3).entropy_rate)


def test_a_direction_that_is_lost_has_minus_infinity() -> None:
    weight = torch.diag(torch.tensor([0.5, 0.0], dtype=DOUBLE))
    found = spectrum(network(weight, "identity"), 30)
    assert found.exponents.tolist() == pytest.approx([np.log(0.5), -np.inf])


def test_a_float32_module_is_judged_in_float64() -> None:
    weight = drawn(5)
    exact = spectrum(network(weight.float().double()), 60).exponents
    rough = spectrum(network(weight).float(), 60).exponents
    assert rough.dtype == np.float64
    # But for the input weights, which are multiplied by zeros.
    assert np.allclose(rough, exact, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exponents": 4}, "exponents=4 does not fit layer 0 of Elman, .* 3 units"),
        ({"exponents": 0}, "from 1 to 3"),
        ({"exponents": 1.5}, "from 1 to 3"),
        ({"transient": 10}, "transient=10 .* 10 steps.* from 0 to 9"),
        ({"transient": -1}, "from 0 to 9"),
        ({"transient": 8, "every": 3}, "from 0 to 7"),
        ({"every": 11}, "expected longer sequences"),
        ({"every": 0}, "every=0 .* at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UnfitMeasurement, match=message):
        spectrum(network(drawn(3)), 10, **settings)


def test_without_steps_or_states_there_are_none() -> None:
    with pytest.raises(UnfitMeasurement, match="longer sequences"):
        spectrum(network(drawn(3)), 0)
    with pytest.raises(NothingCarried, match="Lyapunov spectrum is asked of Feedfor"):
        lyapunov_spectrum(Recurrent(Feedforward(), 1, 2), torch.zeros(3, 1, 1))


def test_the_same_call_gives_the_same_bits() -> None:
    module = network(1.5 * drawn(6))
    torch.manual_seed(1)
    first = spectrum(module, 50)
    torch.manual_seed(2)
    second = spectrum(module, 50)
    pairs = pairwise([first, second])
    assert all(np.array_equal(a.running, b.running) for a, b in pairs)
