"""Fixed points against those that can be written down."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from throughtime.cells import GRU, LSTM, Elman, Feedforward
from throughtime.diagnose import FixedPoint, fixed_points
from throughtime.errors import NothingCarried, UnfitMeasurement
from throughtime.graph import Cell, Input, Parameter, State, Value
from throughtime.nn import Recurrent

DOUBLE = torch.float64


def network(
    weight: Tensor, bias: Tensor, activation: str = "tanh", **settings: Any
) -> Recurrent:
    """An Elman network of one input with this recurrent matrix and bias."""
    module = Recurrent(Elman(activation), 1, len(weight), dtype=DOUBLE, **settings)
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(weight)
        module.get_parameter("bias_hh_l0").copy_(bias)
        module.get_parameter("bias_ih_l0").zero_()
    return module


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=DOUBLE)


def magnitudes(values: Any) -> np.ndarray:
    return np.sort(np.abs(np.asarray(values)))


def test_a_linear_map_has_its_solution_and_its_eigenvalues(backend: str) -> None:
    weight, bias = 0.4 * drawn(5, 5), drawn(5, seed=1)
    module = network(weight, bias, "identity", backend=backend)
    (found,) = fixed_points(module, starts=8)
    solution = torch.linalg.solve(torch.eye(5, dtype=DOUBLE) - weight, bias)
    assert np.abs(found.states["h"] - solution.numpy()).max() < 1e-10
    expected = magnitudes(torch.linalg.eigvals(weight))
    assert np.abs(magnitudes(found.eigenvalues) - expected).max() < 1e-10
    assert found.largest == pytest.approx(expected[-1])
    assert (found.kind, found.count) == ("fixed", 8)
    assert found.speed < 1e-10


def test_a_constant_input_moves_it() -> None:
    weight, bias = 0.4 * drawn(5, 5), drawn(5, seed=1)
    module = network(weight, bias, "identity")
    (found,) = fixed_points(module, torch.tensor([2.0]), starts=4)
    pushed = bias + 2 * module.get_parameter("weight_ih_l0")[:, 0].detach()
    solution = torch.linalg.solve(torch.eye(5, dtype=DOUBLE) - weight, pushed)
    assert np.abs(found.states["h"] - solution.numpy()).max() < 1e-10
    # Of given sequences it is their mean, over the steps that there are.
    x = drawn(6, 2, 1)
    x[4:, 1] = torch.nan
    mean = torch.cat([x[:, 0], x[:4, 1]]).mean(0)
    (one,) = fixed_points(module, x, lengths=[6, 4], starts=4)
    (same,) = fixed_points(module, mean, starts=4)
    assert np.allclose(one.states["h"], same.states["h"])


def test_a_unit_that_latches_has_two_stable_points_and_a_saddle_between() -> None:
    module = network(torch.tensor([[2.0]]), torch.tensor([0.0]))
    found = fixed_points(module)
    assert sorted(one.stability for one in found) == ["stable", "stable", "unstable"]
    places = np.sort([one.states["h"][0] for one in found])
    # h = tanh(2h)
    assert places == pytest.approx([-0.957504, 0, 0.957504], abs=1e-6)
    (middle,) = [one for one in found if one.unstable]
    assert middle.eigenvalues == pytest.approx([2.0])


def test_a_strong_tanh_network_is_unstable_at_rest() -> None:
    weight = 1.5 * drawn(20, 20) / 20**0.5
    found = fixed_points(network(weight, torch.zeros(20)), starts=12)
    (rest,) = [one for one in found if np.abs(one.states["h"]).max() < 1e-6]
    beyond = int((torch.linalg.eigvals(weight).abs() > 1).sum())
    assert rest.unstable == beyond > 0
    assert rest.stability == "saddle" and rest.kind == "fixed"
    assert [one.speed for one in found] == sorted(one.speed for one in found)


def test_just_beyond_a_tangency_a_point_is_slow() -> None:
    # h = tanh(2h + b) has three solutions up to |b| = 0.5328, then one; where two of
    # them met, states are slow.
    near = fixed_points(network(torch.tensor([[2.0]]), torch.tensor([0.54])))
    kinds = {one.kind: one for one in near}
    assert set(kinds) == {"fixed", "slow"} and len(near) == 2
    assert 1e-3 < kinds["slow"].speed < 0.1
    assert kinds["slow"].states["h"][0] == pytest.approx(-(0.5**0.5), abs=0.05)
    only = fixed_points(
        network(torch.tensor([[2.0]]), torch.tensor([0.54])), slowest=1e-4
    )
    assert [one.kind for one in only] == ["fixed"]


@pytest.mark.parametrize("cell", [LSTM(), GRU()], ids=repr)
def test_the_points_of_gated_cells_are_left_alone_by_a_step(cell: Cell) -> None:
    torch.manual_seed(0)
    module = Recurrent(cell, 2, 4, 2, dtype=DOUBLE)
    x = torch.tensor([0.5, -1.0], dtype=DOUBLE)
    found = fixed_points(module, x, starts=6)
    assert [one.layer for one in found] == [0, 1]
    # The input of the upper layer is what the lower one gives at rest.
    state = [
        torch.stack([torch.from_numpy(one.states[name]) for one in found])[:, None]
        for name in module.state_names
    ]
    _, after = module.step(x[None], state)
    for new, old in zip(after, state, strict=True):
        assert (new - old).abs().max() < 1e-8
    for one in found:
        assert one.stability == "stable" and one.largest < 1
        assert len(one.eigenvalues) == 4 * len(module.state_names)


def test_both_directions_have_their_own() -> None:
    torch.manual_seed(0)
    module = Recurrent(GRU(), 2, 3, bidirectional=True, batch_first=True)
    found = fixed_points(module, torch.randn(2, 9, 2), starts=4)
    assert [(one.layer, one.direction) for one in found] == [(0, 0), (0, 1)]
    assert not np.allclose(found[0].states["h"], found[1].states["h"])


class Pushed(Cell):
    """Half of the state is forgotten, and a further input added."""

    weight = Parameter("hidden", "input")
    push = Input("hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value, push: Value) -> Value:
        return 0.5 * h + self.weight @ x + push


def test_further_inputs_are_constant_too() -> None:
    module = Recurrent(Pushed(), 1, 3, dtype=DOUBLE)
    (rest,) = fixed_points(module, starts=3)
    assert np.abs(rest.states["h"]).max() < 1e-12
    push = torch.tensor([1.0, 2.0, -3.0])
    (found,) = fixed_points(module, push=push, starts=3)
    assert found.states["h"] == pytest.approx([2.0, 4.0, -6.0])


def test_the_same_call_finds_the_same() -> None:
    module = network(1.5 * drawn(6, 6) / 6**0.5, torch.zeros(6))

    def looked() -> list[FixedPoint]:
        return fixed_points(module, starts=6)

    torch.manual_seed(1)
    first = looked()
    torch.manual_seed(2)
    for one, other in zip(first, looked(), strict=True):
        assert np.array_equal(one.states["h"], other.states["h"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"starts": 0}, "starts=0 .* at least 1"),
        ({"tolerance": 0.0}, "tolerance=0.0 .* above 0"),
        ({"slowest": -1.0}, "slowest=-1.0"),
        ({"distance": float("nan")}, "distance=nan"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    module = network(torch.zeros(2, 2), torch.zeros(2))
    with pytest.raises(UnfitMeasurement, match=message):
        fixed_points(module, **settings)
    with pytest.raises(UnfitMeasurement, match="0 steps"):
        fixed_points(module, torch.zeros(0, 1, 1))
    with pytest.raises(UnfitMeasurement, match=r"state='a state' .* drawn states"):
        fixed_points(module, state=[torch.zeros(1, 1, 2)])
    with pytest.raises(NothingCarried, match="fixed point is asked of Feedforward"):
        fixed_points(Recurrent(Feedforward(), 1, 2))
