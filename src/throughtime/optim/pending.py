"""What the rows of one parameter are still owed by the regulariser."""

import threading
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import Parameter

# (weights of some rows, how long they have waited, which rows) -> the weights now
Decay = Callable[[Tensor, Tensor, Tensor | slice], Tensor]


class Pending:
    """The regulariser's clock for a parameter, and where each row stands on it.

    A row is behind by ``now`` minus its stamp. What is written goes through ``.data``:
    autograd need not hear of rows that nobody has read.

    Parameters
    ----------
    parameter
        Rows of weights ``(d, …)``.
    decay
        What the regulariser does to rows that have waited.
    name
        What errors call the parameter.
    """

    def __init__(self, parameter: Parameter, decay: Decay, name: str) -> None:
        self.parameter = parameter
        self.decay = decay
        self.name = name
        self.settings: tuple[float, ...] = ()
        self.now = 0.0
        self.settled = True
        self.found = False  # whether a module that owns the parameter is known
        self.held = False  # whether who saves the parameter wants it as it is
        self.lock = threading.RLock()
        self._stamps: Tensor | None = None

    @property
    def stamps(self) -> Tensor:
        """Up to which time each row was caught up, ``(d,)`` in float64."""
        weight = self.parameter
        if self._stamps is None or self._stamps.device != weight.device:
            rows, device = len(weight), weight.device
            with torch.inference_mode(False):
                if self._stamps is None:
                    made = torch.zeros(rows, dtype=torch.float64, device=device)
                else:
                    made = self._stamps.to(device)
            self._stamps = made
        return self._stamps

    def catch_up(self, rows: Tensor) -> None:
        """Apply what is pending for some rows ``(n,)``; they may be repeated."""
        with self.lock, torch.no_grad():
            if self.settled:
                return
            stamps, weight = self.stamps, self.parameter.data
            waited = self.now - stamps.index_select(0, rows)
            read = weight.index_select(0, rows)
            weight.index_copy_(0, rows, self.decay(read, waited, rows))
            stamps.index_fill_(0, rows, self.now)

    def settle(self) -> None:
        """Apply what is pending for all rows, and put the clock back to zero."""
        with self.lock, torch.no_grad():
            if self.settled:
                return
            weight, every = self.parameter.data, slice(None)
            weight.copy_(self.decay(weight, self.now - self.stamps, every))
            self.stamps.zero_()
            self.now, self.settled = 0.0, True

    def wait_on(self, now: float, stamps: Tensor) -> None:
        """Go on with weights that were saved as they were, and with their clock."""
        with self.lock, torch.no_grad():
            self.stamps.copy_(stamps)
            self.now, self.settled = now, False

    def first_stale(self, rows: Tensor | None) -> int | None:
        """Give a row that is behind, among some or all; None: there is none."""
        if self.settled:
            return None
        stamps = self.stamps if rows is None else self.stamps.index_select(0, rows)
        behind = stamps != self.now
        if not behind.any():
            return None
        place = int(behind.nonzero()[0])
        return place if rows is None else int(rows[place])

    def wait(self, time: float, rows: Tensor) -> None:
        """Let the clock go on for every row but those that had the step already."""
        if not time:
            return
        self.now += time
        self.settled = False
        self.stamps.index_fill_(0, rows, self.now)


def over_rows(values: Tensor, like: Tensor) -> Tensor:
    """Give values ``(n,)`` the dimensions of ``like`` ``(n, …)``."""
    return values.view(-1, *[1] * (like.dim() - 1))
