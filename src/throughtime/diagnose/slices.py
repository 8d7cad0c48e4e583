"""The loss over a plane through the weights, along two random directions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from throughtime.diagnose.moving import Named, by_name, measuring, plain
from throughtime.optim.curvature import Loss


@dataclass(frozen=True)
class Slice:
    """The loss at θ + a d₁ + b d₂.

    Parameters
    ----------
    first, second
        The a and the b; 0 is among them.
    losses
        ``losses[i][j]`` is that at ``first[i]`` and ``second[j]``; it may be infinite
        or NaN.
    """

    first: list[float]
    second: list[float]
    losses: list[list[float]]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; a number that is not finite is None."""
        rows = [[plain(loss) for loss in row] for row in self.losses]
        return {"first": self.first, "second": self.second, "losses": rows}


def loss_slice(
    loss: Loss,
    parameters: Named,
    *,
    points: int = 15,
    reach: float = 1.0,
    seed: int = 0,
) -> Slice:
    """Measure the loss over a plane of two random, filter-normalised directions.

    A direction is drawn from a normal distribution, and then each unit's share of it
    is made as long as the unit's own weights, ``d ← d ‖w‖ / ‖d‖``: so a step of 1
    changes every unit by as much as it has, and pictures of networks whose weights are
    of different size can be compared.

    Parameters
    ----------
    loss
        Computes the loss, `()`.
    parameters
        The weights it depends on by their names. They are moved over the plane, and
        are as they were afterwards, also after an error.
    points
        How many along each direction, an odd number; the loss is computed for all
        pairs.
    reach
        How far along each direction and against it.
    seed
        Draws the directions.

    References
    ----------
    Li, Xu, Taylor, Studer & Goldstein 2018, arXiv:1712.09913.
    """
    chosen = list(by_name(parameters).values())
    middle = [one.detach().clone() for one in chosen]
    generator = torch.Generator().manual_seed(seed)
    first, second = (normalised_direction(middle, generator) for _ in range(2))
    half = max(1, points // 2)
    places = [reach * step / half for step in range(-half, half + 1)]
    with measuring(loss, chosen) as measure:
        losses = [
            [
                measure(
                    [
                        one + a * d + b * e
                        for one, d, e in zip(middle, first, second, strict=True)
                    ]
                )
                for b in places
            ]
            for a in places
        ]
    return Slice(places, list(places), losses)


def normalised_direction(
    weights: Sequence[Tensor], generator: torch.Generator
) -> list[Tensor]:
    """Draw a direction, each unit's share as long as the unit's weights.

    The rows of a matrix are units; a vector is normalised whole. Where a unit has no
    weights but 0 it does not move.
    """
    directions = []
    for weight in weights:
        drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        rows = drawn.flatten(1) if weight.dim() > 1 else drawn.reshape(1, -1)
        own = weight.double().cpu().reshape(rows.shape)
        lengths = rows.norm(dim=1, keepdim=True)
        scale = own.norm(dim=1, keepdim=True) / lengths.clamp(min=1e-300)
        directions.append((rows * scale).reshape(weight.shape).to(weight))
    return directions
