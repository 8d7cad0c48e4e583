"""Local minima, saddle points, and the curvature that tells them apart."""

import statistics

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.diagnose.networks import Loss, dense_hessian, network
from throughtime.diagnose import (
    extreme_eigenvalues,
    hessian_matrix,
    hessian_product,
    loss_line,
    loss_surface,
    negative_share,
)
from throughtime.diagnose.lab.saddle import saddle

SMALL = [(tt.cells.Elman(), 6), (tt.cells.LSTM(), 4), (tt.cells.GRU(), 5)]
names = pytest.mark.parametrize(
    ("cell", "hidden"), SMALL, ids=[type(cell).__name__ for cell, _ in SMALL]
)


def learned(seed: int) -> float:
    """The loss that y = tanh(w x + b) ends at, from weights that a seed draws.

    Two answers want a positive w, one that is further away a negative one: a unit that
    is saturated cannot turn round. The weights cost a little, so that minima are
    points.
    """
    draw = torch.Generator().manual_seed(seed)
    weights = 2 * torch.randn(2, generator=draw, dtype=torch.float64)
    weights.requires_grad_()
    x = torch.tensor([-1.0, 1.0, 4.0], dtype=torch.float64)
    y = torch.tensor([-0.9, 0.9, -0.9], dtype=torch.float64)
    for _ in range(1500):
        error = torch.tanh(weights[0] * x + weights[1]) - y
        loss = torch.mean(error**2) + 0.01 * torch.sum(weights**2)
        (slope,) = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            weights -= 0.1 * slope
    assert slope.norm() < 1e-8  # it is there, not under way
    return float(loss.detach())


def test_two_starts_of_two_parameters_end_in_different_losses() -> None:
    """No guarantee of the global minimum: the spread over seeds is what to report."""
    losses = [learned(seed) for seed in range(8)]
    spread = [min(losses), statistics.median(losses), max(losses)]
    assert spread[2] - spread[0] > 0.5, spread
    # There are two minima, and half of the starts come to each.
    assert sorted(losses) == pytest.approx([0.7138] * 4 + [1.2205] * 4, abs=1e-4)


@names
def test_extreme_eigenvalues_are_those_of_the_dense_hessian(
    cell: tt.Cell, hidden: int, backend: str
) -> None:
    module, loss = network(cell, hidden, backend)
    parameters = list(module.parameters())
    judge = torch.linalg.eigvalsh(dense_hessian(*network(cell, hidden)))
    product = hessian_product(loss, parameters)
    assert product.size == len(judge) <= 200
    found = extreme_eigenvalues(product, product.size)
    assert abs(found.smallest - judge[0]) < 1e-4
    assert abs(found.largest - judge[-1]) < 1e-4
    # Much nearer than that, and the vectors are theirs.
    assert abs(found.largest - judge[-1]) < 1e-8
    for value, vector in (
        (found.smallest, found.lowest),
        (found.largest, found.highest),
    ):
        assert (product(vector) - value * vector).norm() < 1e-6
    share = float((judge < -1e-6 * judge.abs().max()).double().mean())
    assert negative_share(product).share == share
    assert 0 < share < 1


@names
def test_products_with_the_hessian_are_symmetric_and_linear(
    cell: tt.Cell, hidden: int, backend: str
) -> None:
    module, loss = network(cell, hidden, backend)
    product = hessian_product(loss, list(module.parameters()))
    draw = torch.Generator().manual_seed(3)
    u, v = torch.randn(2, product.size, generator=draw, dtype=torch.float64)
    assert abs(u @ product(v) - v @ product(u)) < 1e-8
    assert (product(2 * u - v) - 2 * product(u) + product(v)).abs().max() < 1e-10
    # And by differences of gradients, which know nothing of second derivatives.
    found = product(u)
    ahead, behind = (moved_gradient(module, loss, u, step) for step in (1e-5, -2e-5))
    assert (found - (ahead - behind) / 2e-5).abs().max() < 1e-7


def moved_gradient(
    module: torch.nn.Module, loss: Loss, along: Tensor, step: float
) -> Tensor:
    """The gradient after a step, by a plain backward pass."""
    parameters = list(module.parameters())
    pieces = along.split([one.numel() for one in parameters])
    with torch.no_grad():
        for one, piece in zip(parameters, pieces, strict=True):
            one.add_(piece.view_as(one), alpha=step)
    return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss(), parameters)])


@names
def test_backends_have_one_hessian(cell: tt.Cell, hidden: int) -> None:
    matrices = []
    for backend in ("reference", "llvm"):
        module, loss = network(cell, hidden, backend)
        product = hessian_product(loss, list(module.parameters()))
        matrices.append(hessian_matrix(product))
    assert (matrices[0] - matrices[1]).abs().max() < 1e-12
    assert (matrices[0] - dense_hessian(*network(cell, hidden))).abs().max() < 1e-12


def test_the_saddle_of_x2_minus_y2() -> None:
    """Newton goes to it, saddle-free Newton leaves it, gradient descent is slow."""
    descent, newton, free = saddle().paths
    assert newton.points[1:].tolist() == [[0.0, 0.0]] * 40
    assert free.points[:, 1] == pytest.approx([1e-3 * 2**n for n in range(11)])
    assert free.points[1:, 0] == pytest.approx([0.0] * 10, abs=1e-12)
    steps = len(descent.points)
    assert descent.points[:, 0] == pytest.approx([0.8**n for n in range(steps)])
    assert descent.points[:, 1] == pytest.approx([1e-3 * 1.2**n for n in range(steps)])
    assert (descent.left_after, newton.left_after, free.left_after) == (38, None, 10)


def test_a_network_that_has_converged_is_at_a_minimum_of_a_lower_loss() -> None:
    module, loss = network(tt.cells.Elman(), 4)
    start = {name: one.detach().clone() for name, one in module.named_parameters()}
    before = loss_surface(loss, start_of(module), points=None)
    optimizer = tt.optim.SaddleFreeNewton(module.parameters())
    for _ in range(60):
        optimizer.step(loss)
    after = loss_surface(loss, start_of(module), initial=start, points=3)
    assert before.verdict == "slope"
    assert after.verdict in {"minimum", "plateau"}
    assert after.gradient_norm < 1e-2 * before.gradient_norm
    assert after.index.share < before.index.share
    assert after.line is not None
    line = loss_line(loss, start_of(module), start)
    at = dict(zip(line.positions, line.losses, strict=True))
    assert (at[0.0], at[1.0]) == pytest.approx((before.loss, after.loss), rel=1e-12)
    assert line == after.line


def start_of(module: torch.nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters())
