"""Eigenvalues of matrices that are known."""

import pytest
import torch
from torch import Tensor, nn

import throughtime as tt
from tests.diagnose.networks import network, quadratic
from throughtime import errors
from throughtime.diagnose import (
    extreme_eigenvalues,
    hessian_matrix,
    hessian_product,
    negative_share,
)
from throughtime.optim.curvature import lanczos


@pytest.mark.parametrize(
    "values", [[2.0], [-2.0, 3.0], [-1.0, 0.0, 5.0], [-3.0, *[0.0] * 20, 1e-3, 2.0]]
)
def test_a_quadratic_gives_its_own_eigenvalues(values: list[float]) -> None:
    parameters, loss = quadratic(values)
    product = hessian_product(loss, list(parameters.values()))
    found = extreme_eigenvalues(product, product.size)
    assert found.smallest == pytest.approx(min(values), abs=1e-9)
    assert found.largest == pytest.approx(max(values), abs=1e-9)
    share = sum(value < 0 for value in values) / len(values)
    assert negative_share(product).share == pytest.approx(share)
    assert negative_share(product).how == "counted"


def test_lanczos_gives_an_orthonormal_basis_and_the_matrix_in_it() -> None:
    values = [float(n) for n in range(-5, 15)]
    parameters, loss = quadratic(values)
    product = hessian_product(loss, list(parameters.values()))
    matrix = hessian_matrix(product)
    start = torch.ones(20, dtype=torch.float64)
    seen = lanczos(product, start, 8)
    assert (seen.basis @ seen.basis.T - torch.eye(8)).abs().max() < 1e-12
    inside = seen.basis @ matrix @ seen.basis.T
    assert (inside.diag() - seen.diagonal).abs().max() < 1e-12
    assert (inside.diag(1) - seen.beside).abs().max() < 1e-12
    assert inside.tril(-2).abs().max() < 1e-12
    whole, _ = lanczos(product, start, 99).eigen()
    assert whole == pytest.approx(sorted(values), abs=1e-9)


def test_lanczos_ends_where_the_matrix_leads_no_further() -> None:
    parameters, loss = quadratic([1.0] * 9 + [4.0])
    product = hessian_product(loss, list(parameters.values()))
    seen = lanczos(product, torch.ones(10, dtype=torch.float64), 10)
    assert len(seen.basis) == 2
    assert seen.eigen()[0] == pytest.approx([1.0, 4.0])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_estimated_index_holds_what_it_promises(seed: int) -> None:
    module, loss = network(tt.cells.Elman(), 6, seed=seed)
    product = hessian_product(loss, list(module.parameters()))
    counted = negative_share(product)
    estimated = negative_share(product, counted_up_to=1, probes=6, rank=40)
    assert (counted.how, estimated.how) == ("counted", "estimated")
    assert counted.error == 0 < estimated.error < 0.5
    assert abs(estimated.share - counted.share) <= estimated.error
    assert estimated == negative_share(product, counted_up_to=1, probes=6, rank=40)


def test_a_spectrum_with_a_gap_is_estimated_closely() -> None:
    parameters, loss = quadratic([-1.0] * 30 + [2.0] * 90)
    product = hessian_product(loss, list(parameters.values()))
    estimated = negative_share(product, counted_up_to=1, probes=30)
    assert estimated.error < 0.05
    assert abs(estimated.share - 0.25) <= estimated.error


def test_a_loss_without_curvature_has_none() -> None:
    weights = torch.ones(6, dtype=torch.float64, requires_grad=True)
    product = hessian_product(lambda: torch.sum(weights), [weights])
    assert not product(torch.ones(6, dtype=torch.float64)).any()
    found = extreme_eigenvalues(product, 6)
    assert (found.smallest, found.largest) == (0.0, 0.0)
    assert negative_share(product).share == 0


def test_a_parameter_the_loss_knows_nothing_of_has_zeros() -> None:
    used, unused = (torch.ones(2, requires_grad=True) for _ in range(2))
    product = hessian_product(lambda: torch.sum(used**3), [used, unused])
    assert product(torch.ones(4)).tolist() == [6.0, 6.0, 0.0, 0.0]


def test_gradients_that_are_there_stay() -> None:
    module, loss = network(tt.cells.Elman(), 3)
    hessian_product(loss, list(module.parameters()))
    assert all(one.grad is None for one in module.parameters())


def test_float32_finds_the_ends_as_well_as_it_can() -> None:
    parameters, loss = quadratic([-3.0, *[0.1] * 20, 2.0])
    double = parameters["x"].detach().float().requires_grad_()
    product = hessian_product(
        lambda: torch.cosh(double).sum() - 2 * (double[:4] ** 2).sum(), [double]
    )
    found = extreme_eigenvalues(product, product.size, dtype=torch.float32)
    assert found.smallest == pytest.approx(-3, rel=1e-3)
    assert found.largest == pytest.approx(1, rel=1e-3)
    assert loss().dtype == torch.float64


ONE = torch.ones(2, requires_grad=True)


def used() -> Tensor:
    loss = (ONE**2).sum()
    loss.backward()
    ONE.grad = None
    return loss


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda: 1.0, "gave float"),
        (lambda: ONE**2, r"shape \(2,\)"),
        (lambda: torch.sum(ONE.detach() ** 2), "without a graph"),
        (used, "graph was used"),
    ],
)
def test_a_loss_that_cannot_be_differentiated_twice(loss: object, words: str) -> None:
    with pytest.raises(errors.LossWithoutGraph, match=words):
        hessian_product(loss, [ONE])  # type: ignore[arg-type]


def test_weights_that_have_no_second_derivative() -> None:
    table = nn.Embedding(5, 2, sparse=True)
    rows = torch.tensor([1, 2])
    with pytest.raises(errors.NotDense, match=r"gradient of torch\.sparse_coo"):
        hessian_product(lambda: torch.sum(table(rows) ** 2), [table.weight])
    whole = torch.ones(3, dtype=torch.int64)
    with pytest.raises(errors.NotDense, match=r"torch\.int64"):
        hessian_product(lambda: torch.sum(ONE), [whole])
    with pytest.raises(errors.NotDense, match="requires_grad=False"):
        hessian_product(lambda: torch.sum(ONE), [torch.ones(3)])
    with pytest.raises(errors.NoWeights):
        hessian_product(lambda: torch.sum(ONE), [])


def test_numbers_that_are_not_finite_are_named() -> None:
    weights = torch.zeros(2, requires_grad=True)
    with pytest.raises(errors.LossNotFinite, match="The loss"):
        hessian_product(lambda: torch.sum(weights.log()), [weights])
    with pytest.raises(errors.LossNotFinite, match="The gradient"):
        hessian_product(lambda: torch.sum(weights.sqrt()), [weights])
    with pytest.raises(errors.LossNotFinite, match="The curvature"):
        hessian_product(lambda: torch.sum(weights**1.5), [weights])(torch.ones(2))


def test_a_vector_of_another_length() -> None:
    product = hessian_product(lambda: torch.sum(ONE**2), [ONE])
    with pytest.raises(errors.BadDirections, match=r"\(3,\), expected \(2,\)"):
        product(torch.ones(3))


def test_eigenvalues_that_do_not_settle() -> None:
    values = torch.linspace(-1, 1, 2000, dtype=torch.float64)  # close together
    with pytest.raises(errors.CurvatureNotFound, match="1e-09 after"):
        extreme_eigenvalues(lambda vector: values * vector, 2000, restarts=2)
