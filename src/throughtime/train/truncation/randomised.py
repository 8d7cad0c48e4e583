"""Random truncation whose gradient is unbiased."""

from collections.abc import Mapping
from typing import Any

import torch

from throughtime.errors import BadTruncation
from throughtime.nn import CarriedState
from throughtime.nn.layers import Layers
from throughtime.train.truncation.stream import Truncation, check_steps


class RandomTruncation(Truncation):
    """Anticipated reweighted truncated backpropagation (Tallec & Ollivier 2017).

    After the d-th step since the last cut the stream is cut with probability ``c_d``;
    error that crosses a place where it could have been cut, and was not, is multiplied
    by ``1 / (1 − c_d)``. So the expected gradient is that of the whole stream, with::

        c_d = (α − 1) / ((α − 2) L0 + d)

    windows are L0 steps long in the mean, and longer ones rare enough for a bounded
    variance. Long windows do come: memory has no bound. For an unbiased sum of
    gradients take `Window.sum`, as a window's mean depends on its length.

    Parameters
    ----------
    module, state
        As in `Truncation`.
    mean_length
        L0, steps, more than `every`.
    alpha
        α, more than 2; the more, the fewer windows are long.
    every
        The stream is cut at multiples of so many steps alone, L0 and d are counted in
        them, and as many steps are one call. Unbiased for each.
    generator
        Draws the lengths; None: torch's own.

    Raises
    ------
    BadTruncation
        There is no such truncation.
    """

    def __init__(
        self,
        module: Layers,
        mean_length: float,
        *,
        alpha: float = 4.0,
        every: int = 1,
        generator: torch.Generator | None = None,
        state: CarriedState | None = None,
    ) -> None:
        super().__init__(module, state)
        self.every = check_steps("every", every, 1, "give more steps")
        check_mean(mean_length, every)
        if not alpha > 2:
            raise BadTruncation(
                argument="alpha",
                given=alpha,
                expected="a number above 2",
                advice="give more, or lengths have no mean",
            )
        self.mean_length, self.alpha = mean_length, alpha
        self.generator = generator

    def probability(self, place: int) -> float:
        """``c_d``: that the stream is cut at the d-th place where it can be."""
        mean = self.mean_length / self.every
        return (self.alpha - 1) / ((self.alpha - 2) * mean + place)

    def state_dict(self) -> dict[str, Any]:
        kept = super().state_dict()
        if self.generator is not None:
            kept["generator"] = self.generator.get_state()
        return kept

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        if self.generator is not None:
            self.generator.set_state(state["generator"])

    def _want(self) -> int:
        place = 1
        while self._draw() >= self.probability(place):
            place += 1
        return place * self.every

    def _draw(self) -> float:
        return float(torch.rand((), dtype=torch.float64, generator=self.generator))

    def _edges(self, steps: int, following: int) -> Mapping[int, float]:
        return {
            place * self.every: 1 / (1 - self.probability(place))
            for place in range(1, -(-steps // self.every))
        }

    def _kept(self, following: int) -> int:
        return 0


def check_mean(mean_length: float, every: int) -> None:
    """Refuse a mean length that no windows of so many steps or more can have.

    Raises
    ------
    BadTruncation
        It is one.
    """
    if not mean_length > every:
        raise BadTruncation(
            argument="mean_length",
            given=mean_length,
            expected=f"more than every={every}",
            advice="give more, or every step is cut off from the one before",
        )
