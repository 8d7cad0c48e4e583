"""How the step width changes: a share of the first one, from update to update."""

import math
from collections.abc import Mapping
from typing import Any, Final

from torch.optim import Optimizer

FALLING: Final = ("cosine", "linear", "onecycle")
"""Those that are spread over all epochs."""
BY_EPOCHS: Final = ("exponential", "step", "plateau")
"""Those that multiply the step width between epochs."""
SCHEDULES: Final = (*FALLING, "constant", *BY_EPOCHS)

# Of one cycle, as PyTorch's: it rises for so long from one share, and falls to another.
_RISE, _LOW, _LAST = 0.3, 1 / 25, 1 / 25e4


class Schedule:
    """Sets the step width of an optimiser before each update.

    Parameters
    ----------
    optimizer
        Whose.
    name
        One of `SCHEDULES`. `"cosine"` falls to 0 along half a cosine, `"linear"` along
        a line; `"onecycle"` rises from 1/25 over the first 0.3 of the updates, and
        falls nearly to 0 (Smith & Topin 2017). `"exponential"` multiplies the step
        width by a factor after every epoch, `"step"` after every so many, `"plateau"`
        after so many in a row without a better validation loss.
    learning_rate
        The largest step width.
    expected
        How many updates there will be at most.
    factor, epochs
        Those of the last three; `epochs` not of `"exponential"`.
    warmup
        Over so many updates the step width rises to the first one before all else.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        name: str,
        learning_rate: float,
        expected: int,
        factor: float | None = None,
        epochs: int | None = None,
        warmup: int = 0,
    ) -> None:
        self.optimizer, self.name = optimizer, name
        self.learning_rate, self.expected = learning_rate, expected
        self.factor = 1.0 if factor is None else factor
        self.epochs, self.warmup = epochs or 1, warmup
        # Updates and epochs that are done, cuts of the step width, and for the
        # plateau the best loss, and how many epochs it is ago.
        self._done = 0.0
        self._epochs = self._cuts = self._waited = 0
        self._best = math.inf
        self._set()

    def update(self, of_expected: float = 1.0) -> None:
        """Go on after an update, which may count as more or less than one."""
        self._done += of_expected
        self._set()

    def epoch(self, validation_loss: float) -> None:
        """Go on after an epoch."""
        self._epochs += 1
        if self.name == "exponential":
            self._cuts = self._epochs
        elif self.name == "step":
            self._cuts = self._epochs // self.epochs
        elif self.name == "plateau":
            self._wait(validation_loss)
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step width depends on."""
        return {name: getattr(self, f"_{name}") for name in _KEPT}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        for name in _KEPT:
            setattr(self, f"_{name}", state[name])
        self._set()

    def _wait(self, loss: float) -> None:
        self._waited += 1
        if loss < self._best:
            self._best, self._waited = loss, 0
        elif self._waited >= self.epochs:
            self._cuts, self._waited = self._cuts + 1, 0

    def _set(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._share() * self.learning_rate

    def _share(self) -> float:
        if self._done < self.warmup:
            return (self._done + 1) / self.warmup * self.factor**self._cuts
        if self.name not in FALLING:
            return self.factor**self._cuts
        # Where pieces are cut anew in each epoch, there may be some updates more.
        after = self._done - self.warmup
        done = min(1.0, after / max(self.expected - self.warmup, 1))
        if self.name == "cosine":
            return _half_cosine(done)
        if self.name == "linear":
            return 1.0 - done
        return self._cycle(after)

    def _cycle(self, done: float) -> float:
        """One cycle, whose last step width is that of the last update."""
        top, last = _RISE * self.expected - 1, max(self.expected - 1, 1)
        if done < top:
            return 1 + (_LOW - 1) * _half_cosine(done / top)
        fallen = min(1.0, (done - top) / (last - top))
        return _LAST + (1 - _LAST) * _half_cosine(fallen)


_KEPT = ("done", "epochs", "cuts", "waited", "best")


def _half_cosine(done: float) -> float:
    """Fall from 1 to 0."""
    return (1 + math.cos(math.pi * done)) / 2
