"""Second derivatives of a loss without its matrix: products with it, and a basis.

A loss of P numbers has a Hessian H of P × P. One product H v costs about two gradients
(Pearlmutter 1994), and k products give the k numbers that say most about H as seen from
one vector (Lanczos 1950).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from throughtime.errors import (
    BadDirections,
    LossNotFinite,
    LossWithoutGraph,
    NotDense,
    NoWeights,
)

Loss = Callable[[], Tensor]
"""Computes the loss, a tensor of one number with its graph, and calls no backward."""

# What remains of a vector after the others are taken out of it is rounding below this.
_ROUNDING = 100


class HessianProduct:
    """v ↦ H v for the Hessian of a loss at the weights of now.

    Made by `hessian_product`. The graph of the gradient is kept: use it before the
    weights change.

    Attributes
    ----------
    loss
        The loss at these weights, `()`.
    gradient
        ∂loss/∂weights, `(P,)`, in the order of the parameters.
    size
        P, how many numbers all parameters have.
    """

    def __init__(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self.loss = loss.detach()
        self._gradient = _flat(_gradient_of(loss, self._parameters))
        self.gradient = self._gradient.detach()
        self.size = self.gradient.numel()
        for what, value in (("loss", self.loss), ("gradient", self.gradient)):
            if not value.isfinite().all():
                raise LossNotFinite(what=what)

    def __call__(self, vector: Tensor) -> Tensor:
        """Return H v, `(P,)`, for a vector `(P,)`."""
        if vector.shape != self.gradient.shape:
            raise BadDirections(given=tuple(vector.shape), expected=self.size)
        if not self._gradient.requires_grad:  # a loss that is linear in all weights
            return torch.zeros_like(vector)
        slopes = torch.autograd.grad(
            self._gradient,
            self._parameters,
            vector.to(self.gradient),
            retain_graph=True,
            materialize_grads=True,
        )
        curved = _flat(slopes).detach()
        if not curved.isfinite().all():
            raise LossNotFinite(what="curvature")
        return curved


def hessian_product(loss: Loss, parameters: Sequence[Tensor]) -> HessianProduct:
    """Return v ↦ H v for the Hessian H of a loss at the weights of now.

    H v is the derivative of gᵀ v, g being the gradient (Pearlmutter 1994): exact but
    for rounding, through the second derivatives of compiled layers as of any other
    operation.

    Parameters
    ----------
    loss
        Computes the loss, a tensor of one number, without calling ``backward()``.
    parameters
        Dense tensors of real numbers, P in all, that the loss may depend on; to one on
        which it does not, the rows of H are 0.

    Returns
    -------
    HessianProduct
        A function of a vector `(P,)`, with `loss`, `gradient` and `size`.

    Raises
    ------
    NoWeights, NotDense
        There are no parameters, or one is sparse, complex or without gradient.
    LossWithoutGraph, LossNotFinite
        The closure gives what cannot be differentiated twice, or what is not finite.

    References
    ----------
    Pearlmutter 1994, Neural Computation 6:147.
    """
    chosen = list(parameters)
    check_parameters(chosen)
    with torch.enable_grad():
        value = loss()
        return HessianProduct(checked_loss(value), chosen)


def check_parameters(parameters: Sequence[Tensor]) -> None:
    """Refuse parameters that are not all dense, real, and of those that learn."""
    if not sum(parameter.numel() for parameter in parameters):
        raise NoWeights
    for place, parameter in enumerate(parameters):
        if parameter.layout != torch.strided or not parameter.is_floating_point():
            kind = f"is {parameter.layout} of {parameter.dtype}"
            raise NotDense(parameter=f"parameter {place}", given=kind)
        if not parameter.requires_grad:
            given = "has requires_grad=False"
            raise NotDense(parameter=f"parameter {place}", given=given)


def checked_loss(value: object) -> Tensor:
    """Give the loss back if it is one number with a graph."""
    if not isinstance(value, Tensor):
        raise LossWithoutGraph(given=type(value).__name__)
    if value.numel() != 1 or not value.is_floating_point():
        given = f"a tensor of shape {tuple(value.shape)} of {value.dtype}"
        raise LossWithoutGraph(given=given)
    if not value.requires_grad:
        raise LossWithoutGraph(given="a number without a graph")
    return value


class Krylov(NamedTuple):
    """H as seen from one vector: H Vᵀ ≈ Vᵀ T, T tridiagonal.

    Parameters
    ----------
    basis
        V, `(k, P)`: orthonormal rows, the first along the vector.
    diagonal, beside
        Of T, `(k,)` and `(k − 1,)`, in float64.
    """

    basis: Tensor
    diagonal: Tensor
    beside: Tensor

    def eigen(self) -> tuple[Tensor, Tensor]:
        """Return eigenvalues `(k,)` and eigenvectors `(k, k)` of T, in float64."""
        matrix = torch.diag(self.diagonal)
        matrix += torch.diag(self.beside, 1) + torch.diag(self.beside, -1)
        return torch.linalg.eigh(matrix)


def lanczos(product: Callable[[Tensor], Tensor], start: Tensor, rank: int) -> Krylov:
    """Lanczos's method, each vector made orthogonal to all earlier ones, twice.

    Parameters
    ----------
    product
        v ↦ H v of a symmetric H, `(P,)` to `(P,)`.
    start
        Where it begins, `(P,)`, not 0.
    rank
        How many vectors at most; fewer where H leads out of them no more.

    References
    ----------
    Lanczos 1950; Golub & Van Loan, Matrix Computations, chapter 10.
    """
    noise = _ROUNDING * torch.finfo(start.dtype).eps
    basis = start.new_empty(min(rank, start.numel()), start.numel())
    basis[0] = start / torch.linalg.vector_norm(start)
    diagonal: list[float] = []
    beside: list[float] = []
    for k in range(len(basis)):
        image = product(basis[k])
        length = float(torch.linalg.vector_norm(image))
        diagonal.append(float(image @ basis[k]))
        known = basis[: k + 1]
        for _ in range(2):
            image = image - known.T @ (known @ image)
        rest = float(torch.linalg.vector_norm(image))
        if k + 1 == len(basis) or not rest > noise * length:
            return _krylov(known, diagonal, beside)
        beside.append(rest)
        basis[k + 1] = image / rest
    raise AssertionError  # the loop only ends by `return`


def _krylov(basis: Tensor, diagonal: list[float], beside: list[float]) -> Krylov:
    numbers = [torch.tensor(one, dtype=torch.float64) for one in (diagonal, beside)]
    return Krylov(basis, *numbers)


def _gradient_of(loss: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
    try:
        slopes = torch.autograd.grad(
            loss, parameters, create_graph=True, materialize_grads=True
        )
    except RuntimeError as error:
        if "second time" not in str(error):
            raise
        raise LossWithoutGraph(given="a loss whose graph was used") from error
    for place, slope in enumerate(slopes):
        if slope.layout != torch.strided:
            given = f"has a gradient of {slope.layout}"
            raise NotDense(parameter=f"parameter {place}", given=given)
    return slopes


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
