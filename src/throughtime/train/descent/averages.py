"""A mean of the weights, kept beside those that go on learning."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

AVERAGES = ("ema", "swa")


class Average:
    """The mean of all weights of a training so far, if one is asked for.

    Parameters
    ----------
    parameters
        The weights. What a model holds beside them never changes.
    kind
        `"ema"`: after every update the mean moves to the new weights by `1 - decay`
        (Polyak averaging with an exponential window). `"swa"`: the plain mean of the
        weights after each epoch from some epoch on (Izmailov et al. 2018). None: none.
    decay
        Of `"ema"`.
    after
        Of `"swa"`: the epochs before its first one.
    settle
        Makes the weights what they are, before they are read: an optimiser may have put
        something off.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        kind: str | None,
        decay: float | None = None,
        after: float | None = None,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self.parameters, self.kind = list(parameters), kind
        self.settle = settle
        self.after = after or 0.0
        self._count = 0
        self._values: list[Tensor] = []
        if kind == "ema":
            self._move: Any = get_ema_multi_avg_fn(decay or 0.0)
        else:
            self._move = get_swa_multi_avg_fn()

    def update(self) -> None:
        """Take in the weights after an update."""
        if self.kind == "ema":
            self._add()

    def epoch(self, number: int) -> None:
        """Take in the weights after an epoch."""
        if self.kind == "swa" and number > self.after:
            self._add()

    @contextmanager
    @torch.no_grad()
    def applied(self) -> Iterator[None]:
        """Let the model have the mean for a while, and its own weights afterwards."""
        self.settle()
        if not self._count:
            yield
            return
        own = [one.detach().clone() for one in self.parameters]
        _copy(self._values, self.parameters)
        try:
            yield
        finally:
            _copy(own, self.parameters)

    def state_dict(self) -> dict[str, Any]:
        """Return the mean, and of how many weights it is."""
        return {"count": self._count, "values": list(self._values)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._count = state["count"]
        pairs = zip(state["values"], self.parameters, strict=bool(self._count))
        self._values = [value.to(own.device, copy=True) for value, own in pairs]

    @torch.no_grad()
    def _add(self) -> None:
        self.settle()
        now = [one.detach() for one in self.parameters]
        if self._count:
            self._move(self._values, now, self._count)
        else:
            self._values = [one.clone() for one in now]
        self._count += 1


@torch.no_grad()
def _copy(values: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
    # In place: compiled code knows by the version of a parameter that it has changed.
    for value, own in zip(values, parameters, strict=True):
        own.copy_(value)
