"""Where on its loss surface a network stands: minimum, saddle, plateau or slope."""

from dataclasses import dataclass
from typing import Any, Literal

from throughtime.diagnose.hessian import (
    Extremes,
    Index,
    extreme_eigenvalues,
    negative_share,
)
from throughtime.diagnose.line import Line, loss_line
from throughtime.diagnose.moving import Named, by_name, plain, steady
from throughtime.diagnose.slices import Slice, loss_slice
from throughtime.optim.curvature import Loss, hessian_product

Verdict = Literal["minimum", "saddle", "plateau", "slope"]

FLAT = 1e-2
"""Slopes and curvatures up to this share of the loss count as none.

A step of length 1 changes the loss, or its slope, by less than a hundredth of the loss.
"""
BOWED_DOWN = 1e-3
"""An eigenvalue below minus this share of the largest one is a way down."""


@dataclass(frozen=True)
class Surface:
    """What a loss looks like around some weights.

    Parameters
    ----------
    loss
        At these weights.
    gradient_norm
        ‖∂loss/∂weights‖.
    largest, smallest
        The extreme eigenvalues of the Hessian.
    index
        The share of its eigenvalues that are negative.
    verdict
        In this order: `"slope"`, the gradient is longer than 0.01 times the loss, which
        still falls; `"plateau"`, no eigenvalue is of larger magnitude than that;
        `"saddle"`, the smallest one is below minus that, and below −0.001 times the
        largest; else `"minimum"`.
    line
        From the first weights to these; None: those were not given.
    slice
        Over a plane; None: it was not asked for.
    """

    loss: float
    gradient_norm: float
    largest: float
    smallest: float
    index: Index
    verdict: Verdict
    line: Line | None
    slice: Slice | None

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "loss": plain(self.loss),
            "gradient_norm": self.gradient_norm,
            "largest": self.largest,
            "smallest": self.smallest,
            "index": self.index.share,
            "index_error": self.index.error,
            "index_how": self.index.how,
            "verdict": self.verdict,
            "line": self.line.to_json() if self.line else None,
            "slice": self.slice.to_json() if self.slice else None,
        }


def loss_surface(
    loss: Loss,
    parameters: Named,
    *,
    initial: Named | None = None,
    points: int | None = 15,
    seed: int = 0,
) -> Surface:
    """Look around on the loss surface from where the weights are.

    Parameters
    ----------
    loss
        Computes the loss, a tensor `()` with its graph, without calling
        ``backward()``; the same for the same weights: on the same sequences, the model
        in evaluation mode.
    parameters
        The weights that it depends on by their names, such as
        ``model.named_parameters()``; those with ``requires_grad=False`` are left out.
        They are moved on the way, and are as they were afterwards, also after an error;
        their ``grad`` is not touched.
    initial
        The weights before training, for the line from them to these; None: no line.
    points
        How many along each direction of the plane; the square of it is the number of
        losses to compute. None: no plane.
    seed
        Draws the directions of the plane and where Lanczos's method begins.

    Raises
    ------
    LossChanges
        The closure gives another loss each time.
    LossWithoutGraph, LossNotFinite
        It cannot be differentiated twice, or is not finite at these weights.
    NoWeights, NotDense, OtherWeights
        The weights cannot be moved, or those before training are of another model.
    CurvatureNotFound
        The extreme eigenvalues did not settle.

    References
    ----------
    Dauphin et al. 2014, arXiv:1406.2572; Goodfellow, Vinyals & Saxe 2015,
    arXiv:1412.6544; Li et al. 2018, arXiv:1712.09913.
    """
    chosen = by_name(parameters)
    before = steady(loss)
    product = hessian_product(loss, list(chosen.values()))
    kind = product.gradient.dtype
    extremes = extreme_eigenvalues(product, product.size, dtype=kind, seed=seed)
    index = negative_share(product, extremes, seed=seed)
    norm = float(product.gradient.double().norm())
    del product  # the graph of all steps
    drawn = None
    if points is not None:
        drawn = loss_slice(loss, chosen, points=points, seed=seed)
    return Surface(
        before,
        norm,
        extremes.largest,
        extremes.smallest,
        index,
        verdict_of(before, norm, extremes),
        None if initial is None else loss_line(loss, chosen, initial),
        drawn,
    )


def verdict_of(loss: float, gradient_norm: float, extremes: Extremes) -> Verdict:
    """Name a place by its slope and curvature, as `Surface` says."""
    smallest, largest = extremes.smallest, extremes.largest
    flat = FLAT * abs(loss)
    if gradient_norm > flat:
        return "slope"
    if max(abs(smallest), abs(largest)) <= flat:
        return "plateau"
    if smallest < -max(flat, BOWED_DOWN * largest):
        return "saddle"
    return "minimum"
