"""Saddle-free Newton: its formula, where it leads, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import throughtime as tt
from tests.diagnose.networks import dense_hessian, network, quadratic
from throughtime import errors


def flat(module: nn.Module) -> Tensor:
    return torch.cat([one.detach().reshape(-1) for one in module.parameters()])


def test_a_step_is_the_formula_with_the_dense_hessian() -> None:
    module, loss = network(tt.cells.Elman(), 3)
    values, vectors = torch.linalg.eigh(dense_hessian(*network(tt.cells.Elman(), 3)))
    slopes = torch.autograd.grad(loss(), list(module.parameters()))
    gradient = torch.cat([slope.reshape(-1) for slope in slopes])
    damped = vectors @ ((vectors.T @ gradient) / (values.abs() + 0.01))
    before = flat(module)
    optimizer = tt.optim.SaddleFreeNewton(
        module.parameters(), 0.5, damping=0.01, rank=len(before)
    )
    returned = optimizer.step(loss)
    assert (flat(module) - (before - 0.5 * damped)).abs().max() < 1e-9
    module, loss = network(tt.cells.Elman(), 3)
    assert float(returned) == float(loss().detach())


def test_a_quadratic_takes_one_step_whatever_its_condition() -> None:
    parameters, loss = quadratic([1e-3, 1.0, 1e3])
    optimizer = tt.optim.SaddleFreeNewton(parameters.values(), damping=0.0)
    optimizer.step(loss)
    assert parameters["x"].abs().max() < 1e-9


def test_it_leaves_a_saddle_at_twice_the_distance_each_step() -> None:
    point = torch.tensor([1.0, 1e-3], dtype=torch.float64, requires_grad=True)
    optimizer = tt.optim.SaddleFreeNewton([point], damping=0.0)
    for step in range(1, 12):
        optimizer.step(lambda: point[0] ** 2 - point[1] ** 2)
        assert point.tolist() == pytest.approx([0.0, 1e-3 * 2**step], abs=1e-12)


def test_it_trains_below_the_plateau_of_gradient_descent() -> None:
    """Near a symmetric start all units are alike, and descent hardly moves."""

    def start() -> tuple[list[Tensor], Callable[[], Tensor]]:
        draw = torch.Generator().manual_seed(0)
        sizes = [(4, 2), (4,), (1, 4), (1,)]
        weights = [
            (1e-2 * torch.randn(size, generator=draw, dtype=torch.float64))
            for size in sizes
        ]
        x = torch.tensor([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=torch.float64)
        y = torch.tensor([[-1], [1], [1], [-1]], dtype=torch.float64)
        w, b, v, c = (weight.requires_grad_() for weight in weights)
        return weights, lambda: torch.mean((torch.tanh(x @ w.T + b) @ v.T + c - y) ** 2)

    weights, loss = start()
    descent = torch.optim.SGD(weights, lr=0.1)
    for _ in range(1000):
        descent.zero_grad()
        loss().backward()
        descent.step()
    plateau = float(loss().detach())
    weights, loss = start()
    optimizer = tt.optim.SaddleFreeNewton(weights)
    losses = [float(optimizer.step(loss)) for _ in range(60)]
    assert plateau > 0.99
    assert losses[-1] < 0.01
    # With several dampings no step is ever taken upwards.
    assert losses == sorted(losses, reverse=True)


def test_it_trains_a_recurrent_network(backend: str) -> None:
    module, loss = network(tt.cells.Elman(), 4, backend)
    optimizer = tt.optim.SaddleFreeNewton(module.parameters())
    first = float(optimizer.step(loss))
    losses = [float(optimizer.step(loss)) for _ in range(12)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.75 * first


def test_without_a_slope_and_where_all_leads_upwards_it_stays() -> None:
    point = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = tt.optim.SaddleFreeNewton([point])
    optimizer.step(lambda: point[0] ** 2 - point[1] ** 2)
    assert point.tolist() == [0.0, 0.0]
    edge = torch.tensor([1e-9], dtype=torch.float64, requires_grad=True)
    optimizer = tt.optim.SaddleFreeNewton([edge], lr=1e3)
    # Whatever it does from here, it lands on the steep side.
    optimizer.step(lambda: torch.sum(torch.where(edge > 0, edge, -1e6 * edge)))
    assert edge.tolist() == [1e-9]


def test_a_scheduler_and_a_copy_of_its_state_work() -> None:
    module, loss = network(tt.cells.Elman(), 3)
    optimizer = tt.optim.SaddleFreeNewton(module.named_parameters(), rank=5)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step(loss)
    schedule.step()
    state = optimizer.state_dict()
    other = tt.optim.SaddleFreeNewton(module.parameters())
    other.load_state_dict(state)
    assert (other.param_groups[0]["lr"], other.param_groups[0]["rank"]) == (0.5, 5)


def test_float32_weights_and_gradients_that_are_there() -> None:
    weight = torch.full((3,), 2.0, requires_grad=True)
    weight.grad = torch.full((3,), 7.0)
    optimizer = tt.optim.SaddleFreeNewton([weight])
    optimizer.step(lambda: torch.sum(weight**2))
    assert weight.abs().max() < 1e-3
    assert weight.grad.tolist() == [7.0] * 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": 0}, "lr=0, expected a finite number above 0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"rank": 0}, "rank=0, expected a whole number"),
        ({"rank": True}, "rank=True"),
        ({"rank": 2.0}, "rank=2.0"),
        ({"damping": -1.0}, "damping=-1.0, expected a finite number of at least 0"),
        ({"damping": [1.0, float("inf")]}, "damping=inf"),
        ({"damping": []}, r"damping=\[\]"),
        ({"damping": "much"}, "damping='much'"),
    ],
)
def test_settings_outside_their_range(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.BadHyperparameter, match=words):
        tt.optim.SaddleFreeNewton([torch.ones(2, requires_grad=True)], **settings)


def test_what_it_cannot_do_is_refused() -> None:
    weight = torch.ones(2, requires_grad=True)
    optimizer = tt.optim.SaddleFreeNewton([weight])
    with pytest.raises(errors.StepNeedsLoss, match=r"without calling backward\(\)"):
        optimizer.step()
    with pytest.raises(errors.OneGroupOnly):
        tt.optim.SaddleFreeNewton(
            [{"params": [weight]}, {"params": [torch.ones(1, requires_grad=True)]}]
        )
    table = nn.Embedding(3, 2, sparse=True)
    with pytest.raises(errors.NotDense, match="sparse"):
        tt.optim.SaddleFreeNewton(table.parameters()).step(
            lambda: table(torch.tensor([0])).sum()
        )
    rows = torch.eye(2).to_sparse().requires_grad_()
    with pytest.raises(errors.NotDense, match="sparse"):
        tt.optim.SaddleFreeNewton([rows])
