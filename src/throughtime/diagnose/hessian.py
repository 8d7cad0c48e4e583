"""The curvature of a loss: its extreme eigenvalues, and how many are negative.

Where the loss does not change to first order, the eigenvalues of its Hessian say what
the place is: all positive at a minimum, of both signs at a saddle. The share of
negative ones is the index of Dauphin et al. 2014, who found that it grows with the
loss: places of high loss where training rests are saddles.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from throughtime.errors import CurvatureNotFound
from throughtime.optim.curvature import HessianProduct, hessian_product, lanczos

__all__ = [
    "Extremes",
    "HessianProduct",
    "Index",
    "extreme_eigenvalues",
    "hessian_matrix",
    "hessian_product",
    "negative_share",
]

Product = Callable[[Tensor], Tensor]

LARGEST_MATRIX = 500
"""Up to so many numbers the whole matrix is made: to estimate would cost as much."""

NEGATIVE = 1e-6
"""An eigenvalue counts as negative from this share of the largest magnitude on.

Softmaxes, and pairs of biases that are only added, have directions along which nothing
changes; rounding gives those eigenvalues a sign.
"""
# The same where rounding is that of float32.
_NEGATIVE_IN_FLOAT32 = 1e-4
# Relative errors that products in float64 and float32 can reach.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


class Extremes(NamedTuple):
    """The ends of a spectrum.

    Parameters
    ----------
    smallest, largest
        The eigenvalues.
    lowest, highest
        Their eigenvectors, `(P,)`, of length 1.
    """

    smallest: float
    largest: float
    lowest: Tensor
    highest: Tensor


class Index(NamedTuple):
    """The share of eigenvalues that are negative.

    Parameters
    ----------
    share
        From 0 to 1.
    error
        How far from it the truth may be, bounds of the method and twice the standard
        error of drawing together; 0 where it is counted.
    how
        `"counted"` of all eigenvalues, or `"estimated"` by stochastic Lanczos
        quadrature.
    """

    share: float
    error: float
    how: Literal["counted", "estimated"]


def hessian_matrix(product: HessianProduct) -> Tensor:
    """Return the Hessian itself, `(P, P)`, by P products; symmetric to its last bit."""
    units = torch.eye(product.size).to(product.gradient)
    matrix = torch.stack([product(unit) for unit in units])
    return (matrix + matrix.T) / 2


def extreme_eigenvalues(
    product: Product,
    size: int,
    *,
    dtype: torch.dtype = torch.float64,
    tolerance: float | None = None,
    restarts: int = 100,
    seed: int = 0,
) -> Extremes:
    """Find the smallest and the largest eigenvalue of a symmetric matrix.

    By the implicitly restarted Lanczos method of ARPACK (Lehoucq, Sorensen & Yang
    1998), from a start that the seed draws.

    Parameters
    ----------
    product
        v ↦ H v, `(P,)` to `(P,)`, such as `hessian_product` gives.
    size
        P.
    dtype
        That of the vectors that `product` takes.
    tolerance
        The relative error of an eigenvalue; None: what suits the dtype.
    restarts
        How often it may begin again from what it has found, some 18 products each.
    seed
        Draws the start.

    Raises
    ------
    CurvatureNotFound
        They did not settle to that error.
    """
    tolerance = _TOLERANCE.get(dtype, 1e-4) if tolerance is None else tolerance
    if size <= 3:  # ARPACK wants more
        return _of_matrix(product, size, dtype)
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    made = 0

    def apply(vector: np.ndarray) -> np.ndarray:
        nonlocal made
        made += 1
        image = product(torch.from_numpy(vector.reshape(-1).copy()).to(dtype))
        return image.double().cpu().numpy()

    make: Any = LinearOperator  # its constructor is that of a class it chooses
    operator = make((size, size), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(size)
    if not apply(start).any():  # as good as surely H = 0
        direction = torch.from_numpy(start / np.linalg.norm(start)).to(dtype)
        return Extremes(0.0, 0.0, direction, direction)
    try:
        values, vectors = eigsh(
            operator, k=2, which="BE", v0=start, tol=tolerance, maxiter=restarts
        )
    except ArpackNoConvergence:
        raise CurvatureNotFound(tolerance=tolerance, products=made) from None
    ends = torch.from_numpy(vectors.T.copy()).to(dtype)
    return Extremes(float(values[0]), float(values[1]), ends[0], ends[1])


def negative_share(
    product: HessianProduct,
    extremes: Extremes | None = None,
    *,
    counted_up_to: int = LARGEST_MATRIX,
    probes: int = 8,
    rank: int = 60,
    seed: int = 0,
) -> Index:
    """Say which share of the Hessian's eigenvalues is negative.

    Of a small matrix all are counted. Of a larger one the share is estimated, as the
    mean of ``Σ (zᵀ vᵢ)²`` over negative λᵢ for random vectors z of length 1, by the few
    eigenvalues of the tridiagonal matrix that Lanczos's method gives from z: stochastic
    Lanczos quadrature. These bound how much of z lies below a threshold from both
    sides (the inequalities of Chebyshev, Markov and Stieltjes); the middle is taken,
    and half the distance is part of the error. Where most eigenvalues are near 0, as
    in a network that has learned, it is large, and says so.

    Parameters
    ----------
    product
        That of the loss, as `hessian_product` gives it.
    extremes
        The ends of its spectrum, if they are known.
    counted_up_to
        The largest number of parameters of which all eigenvalues are computed.
    probes, rank
        How many vectors z, at least 2, and products for each of them.
    seed
        Draws the vectors.

    References
    ----------
    Ubaru, Chen & Saad 2017, SIAM J. Matrix Anal. Appl. 38:1075; Golub & Meurant 2010,
    Matrices, Moments and Quadrature.
    """
    dtype = product.gradient.dtype
    least = NEGATIVE if dtype == torch.float64 else _NEGATIVE_IN_FLOAT32
    if product.size <= counted_up_to:
        values = torch.linalg.eigvalsh(hessian_matrix(product).double())
        below = values < -least * values.abs().max()
        return Index(float(below.double().mean()), 0.0, "counted")
    if extremes is None:
        extremes = extreme_eigenvalues(product, product.size, dtype=dtype, seed=seed)
    threshold = -least * max(abs(extremes.smallest), abs(extremes.largest))
    generator = torch.Generator().manual_seed(seed)
    bounds = []
    for _ in range(probes):
        signs = torch.randint(2, (product.size,), generator=generator) * 2 - 1
        start = signs.to(product.gradient)
        bounds.append(_share_below(product, start, rank, threshold))
    low, high = torch.tensor(bounds, dtype=torch.float64).T
    middle = (low + high) / 2
    drawn = 2 * float(middle.std()) / probes**0.5
    error = float((high - low).mean()) / 2 + drawn
    return Index(float(middle.mean()), min(1.0, error), "estimated")


def _share_below(
    product: Product, start: Tensor, rank: int, threshold: float
) -> tuple[float, float]:
    """Bound how much of a vector, of 1, lies below the threshold."""
    seen = lanczos(product, start, rank)
    nodes, vectors = seen.eigen()
    weights = vectors[0] ** 2
    count = int((nodes < threshold).sum())
    share = float(weights[:count].sum())
    if len(nodes) < min(rank, start.numel()):  # it led out no more: nothing is unknown
        return share, share
    low = share - float(weights[count - 1]) if count else 0.0
    high = share + float(weights[count]) if count < len(nodes) else 1.0
    return low, high


def _of_matrix(product: Product, size: int, dtype: torch.dtype) -> Extremes:
    units = torch.eye(size, dtype=dtype)
    matrix = torch.stack([product(unit) for unit in units]).double()
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    ends = vectors.T.to(dtype)
    return Extremes(float(values[0]), float(values[-1]), ends[0], ends[-1])
