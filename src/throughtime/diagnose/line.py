"""The loss along the straight line from the first weights to the last ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.diagnose.moving import Named, by_name, like, measuring, plain
from throughtime.optim.curvature import Loss


@dataclass(frozen=True)
class Line:
    """The loss at θ(a) = (1 − a) θ₀ + a θ.

    Parameters
    ----------
    positions
        The a, from −0.5 to 1.5; 0 and 1 are among them.
    losses
        The loss at each of them; it may be infinite or NaN.
    """

    positions: list[float]
    losses: list[float]

    @property
    def barrier(self) -> float:
        """How far the loss between 0 and 1 rises above that of both ends; at least 0.

        0: training could have gone straight. NaN where a loss between them is.
        """
        at = dict(zip(self.positions, self.losses, strict=True))
        between = [loss for a, loss in at.items() if 0 <= a <= 1]
        return float(np.max(between)) - max(at[0.0], at[1.0])

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; a number that is not finite is None."""
        return {
            "positions": self.positions,
            "losses": [plain(loss) for loss in self.losses],
            "barrier": plain(self.barrier),
        }


def loss_line(
    loss: Loss, parameters: Named, initial: Named, *, per_unit: int = 20
) -> Line:
    """Measure the loss on the straight line through two sets of weights.

    Parameters
    ----------
    loss
        Computes the loss, `()`.
    parameters
        The weights it depends on by their names, as they are after training. They are
        moved along the line, and are as they were afterwards, also after an error.
    initial
        The weights before training, by the same names; more of them do no harm.
    per_unit
        Positions from 0 to 1, an even number. There are twice as many and one.

    Raises
    ------
    OtherWeights, NoWeights, NotDense
        They are not those of the same model, or cannot be moved.

    References
    ----------
    Goodfellow, Vinyals & Saxe 2015, arXiv:1412.6544.
    """
    chosen = by_name(parameters)
    first = like(chosen, initial)
    last = [one.detach().clone() for one in chosen.values()]
    count = 2 * max(1, per_unit // 2)
    positions = [step / count for step in range(-count // 2, count * 3 // 2 + 1)]
    with measuring(loss, list(chosen.values())) as measure:
        losses = [
            # Both ends are the weights themselves, to the last bit.
            measure(
                [start.lerp(end, a) for start, end in zip(first, last, strict=True)]
            )
            for a in positions
        ]
    return Line(positions, losses)
