"""TBPTT(k1, k2): every k1 steps, back over at most k2."""

from collections.abc import Mapping

from throughtime.nn import CarriedState
from throughtime.nn.layers import Layers
from throughtime.train.truncation.stream import Truncation, check_steps


class TBPTT(Truncation):
    """Truncated backpropagation through time (Williams & Peng 1990).

    Every k1 steps the losses of the newest k1 steps flow back over at most k2 steps.
    With ``k2 = k1`` the stream is cut into chunks, each run once, and step j of a chunk
    has but j steps of credit. ``k2 = k + k1 − 1`` gives every loss at least k steps, at
    ``k2 / k1`` times the work of one pass.

    Parameters
    ----------
    module, state
        As in `Truncation`.
    k1
        Steps between two windows.
    k2
        Steps that a window runs, at least k1; None: k1.

    Raises
    ------
    BadTruncation
        k1 is below 1, or k2 below k1.
    """

    def __init__(
        self,
        module: Layers,
        k1: int,
        k2: int | None = None,
        *,
        state: CarriedState | None = None,
    ) -> None:
        super().__init__(module, state)
        self.k1, self.k2 = check_numbers(k1, k2)

    def _want(self) -> int:
        return self.k1

    def _ahead(self) -> int:
        # The last window may be shorter, and then begins earlier: before this one is
        # run, it has to be known where.
        return self.k1 if self.k2 > self.k1 else 0

    def _edges(self, steps: int, following: int) -> Mapping[int, float]:
        return {steps - self._kept(following): 1.0}

    def _kept(self, following: int) -> int:
        if self.k2 == self.k1:
            return 0
        return self.k2 - min(following or self.k1, self.k1)


def check_numbers(k1: int, k2: int | None) -> tuple[int, int]:
    """Give k1 and k2, if there is a TBPTT(k1, k2).

    Raises
    ------
    BadTruncation
        There is none.
    """
    check_steps("k1", k1, 1, "give more steps")
    advice = "give at least k1, or losses of the same window would have no step"
    return k1, k1 if k2 is None else check_steps("k2", k2, k1, advice)
