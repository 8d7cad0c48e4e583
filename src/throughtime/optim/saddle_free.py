"""Saddle-free Newton: second-order steps that saddle points repel."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from throughtime.errors.optim import BadHyperparameter, OneGroupOnly, StepNeedsLoss
from throughtime.optim.base import Group, Parameters
from throughtime.optim.curvature import (
    Krylov,
    Loss,
    check_parameters,
    hessian_product,
    lanczos,
)
from throughtime.optim.refusals import check_numbers

DAMPINGS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""From a whole Newton step to a short one along the gradient."""


class SaddleFreeNewton(Optimizer):
    """Newton's method with ``|H|`` in the place of H, in a Krylov subspace.

    For the gradient g, the Hessian H = Σ λᵢ vᵢ vᵢᵀ and ``|H| = Σ |λᵢ| vᵢ vᵢᵀ``
    a step is ::

        θ ← θ − lr (|H| + damping I)⁻¹ g

    A saddle point attracts Newton's method, which divides by λᵢ: along a direction of
    negative curvature it goes uphill. Divided by ``|λᵢ|`` the step goes downhill along
    all of them, and a long way where the surface is nearly flat. H is looked at in the
    space of g, H g, H² g, … of `rank` dimensions, by as many products H v.

    For small networks on all of their data, or on the same batch at every call of
    the closure: a step costs about two gradients for each dimension of the
    subspace, and `rank` times the memory of the weights. With 10⁵ weights and more, or
    a fresh batch for each step, Adam is the better choice. At a point where g is
    exactly 0 it stays, as every method of gradients does.

    Parameters
    ----------
    params
        Parameters, or one group of them, as for torch's optimisers; dense.
    lr
        What share of the step is taken. A scheduler may change it.
    damping
        What is added to ``|λ|``. Of several numbers that whose step leads to the lowest
        loss is taken, at one more loss each; where all of them lead upwards, the
        weights stay. One number is taken as it is, and so is its step.
    rank
        Dimensions of the subspace at most.

    Raises
    ------
    BadHyperparameter, OneGroupOnly, NotDense, NoWeights
        Settings or parameters cannot be used.

    References
    ----------
    Dauphin, Pascanu, Gulcehre, Cho, Ganguli & Bengio 2014, arXiv:1406.2572.

    Examples
    --------
    >>> import torch, throughtime as tt
    >>> point = torch.tensor([1.0, 1e-3], dtype=torch.float64, requires_grad=True)
    >>> optimizer = tt.optim.SaddleFreeNewton([point], damping=0.0)
    >>> loss = optimizer.step(lambda: point[0] ** 2 - point[1] ** 2)
    >>> [round(value, 6) for value in point.tolist()]
    [0.0, 0.002]
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1.0,
        *,
        damping: float | Sequence[float] = DAMPINGS,
        rank: int = 30,
    ) -> None:
        super().__init__(params, {"lr": lr, "damping": damping, "rank": rank})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the one group that there is.

        Raises
        ------
        OneGroupOnly
            It is a second one: the curvature is that of all parameters together.
        """
        if self.param_groups:
            raise OneGroupOnly(kind=type(self).__name__)
        super().add_param_group(param_group)
        _check(self.param_groups[0])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Parameters
        ----------
        closure
            Computes the loss, and returns it without calling ``backward()``: it is
            differentiated twice here. It is called anew for each damping, and has to
            give the same loss for the same weights. The gradients that parameters hold
            are neither read nor written.

        Returns
        -------
        Tensor
            The loss before the step, `()`.

        Raises
        ------
        StepNeedsLoss
            There is no closure.
        LossWithoutGraph, LossNotFinite, NotDense
            Its loss cannot be differentiated twice.
        """
        if closure is None:
            raise StepNeedsLoss(kind=type(self).__name__)
        (group,) = self.param_groups
        _check(group)
        parameters: list[Tensor] = group["params"]
        product = hessian_product(closure, parameters)
        if not product.gradient.any():
            return product.loss
        seen = lanczos(product, product.gradient, group["rank"])
        steps = [
            _step(seen, product.gradient, float(damping)) * float(group["lr"])
            for damping in _dampings(group)
        ]
        if len(steps) > 1:
            chosen = _lowest(closure, parameters, steps, float(product.loss))
        else:
            (chosen,) = steps
        if chosen is not None:
            _move(parameters, chosen)
        return product.loss


def _step(seen: Krylov, gradient: Tensor, damping: float) -> Tensor:
    """Return −(|H| + damping I)⁻¹ g `(P,)` in the subspace; g lies in it.

    Along an eigenvector whose |λ| is 0, and with no damping, there is no step.
    """
    values, vectors = seen.eigen()
    sizes = values.abs() + damping
    # Only the first vector of the basis has a share of g.
    shares = vectors[0] * torch.linalg.vector_norm(gradient).double()
    least = torch.finfo(gradient.dtype).eps * float(sizes.max())
    scaled = torch.where(sizes > least, shares / sizes, 0.0)
    return -(seen.basis.T @ (vectors @ scaled).to(gradient))


def _lowest(
    closure: Loss, parameters: list[Tensor], steps: list[Tensor], before: float
) -> Tensor | None:
    """Choose the step that leads lowest; None: all of them lead upwards."""
    best, found = before, None
    for step in steps:
        with _moved(parameters, step):
            loss = float(closure().detach())
        if loss < best:
            best, found = loss, step
    return found


@contextmanager
def _moved(parameters: list[Tensor], step: Tensor) -> Iterator[None]:
    before = [parameter.detach().clone() for parameter in parameters]
    try:
        _move(parameters, step)
        yield
    finally:
        for parameter, value in zip(parameters, before, strict=True):
            parameter.copy_(value)


def _move(parameters: list[Tensor], step: Tensor) -> None:
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, change in zip(parameters, step.split(sizes), strict=True):
        parameter.add_(change.view_as(parameter))


def _dampings(group: Group) -> Sequence[float]:
    given = group["damping"]
    return given if isinstance(given, Sequence) else [given]


def _check(group: Group) -> None:
    check_numbers(group, {"lr": False})
    rank, damping = group["rank"], group["damping"]
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        expected = "a whole number of at least 1"
        raise BadHyperparameter(argument="rank", given=rank, expected=expected)
    if isinstance(damping, str) or (isinstance(damping, Sequence) and not damping):
        expected = "a finite number of at least 0, or several"
        raise BadHyperparameter(argument="damping", given=damping, expected=expected)
    for one in _dampings(group):
        check_numbers({"damping": one}, {"damping": True})
    check_parameters(group["params"])
