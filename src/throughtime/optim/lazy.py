"""The base of optimisers whose regulariser waits until a row is used."""

import weakref
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import Parameter

from throughtime.errors.optim import ParameterTaken, StaleRows
from throughtime.optim.base import Group, RowOptimizer, Touched
from throughtime.optim.finding import is_watched, release, search, watch
from throughtime.optim.pending import Decay, Pending


class LazyOptimizer(RowOptimizer):
    """Steps on the rows with a gradient; the others wait for the regulariser.

    A subclass says what a step does to rows with a gradient (`_stepped`), for how long
    the others then have to wait (`_time`), and what the wait does to them (`_decay`).
    """

    _kind: ClassVar[type[Pending]] = Pending
    _pending: dict[Parameter, Pending]

    def settle(self) -> None:
        """Apply everything that is pending, so that all weights can be read.

        `state_dict` (of modules and of this optimiser), saving, loading, copying and
        evaluation do it themselves. Who reads ``parameter.data``, or evaluates what
        ``module.compile()`` compiled in place, does it here.
        """
        for pending in self._pending.values():
            pending.settle()

    def state_dict(self) -> dict[str, Any]:
        """Give settings and state, with every weight settled."""
        for pending in self._pending.values():
            if not pending.held:
                pending.settle()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over settings and state of another run, which was settled."""
        self.settle()
        super().load_state_dict(state_dict)

    @contextmanager
    def unsettled(self) -> Iterator[None]:
        """Let `state_dict`, of modules and of this optimiser, give weights as they are.

        To settle at one more moment rounds differently. Who saves what `waiting` gives
        as well, and goes on from it by `wait_on`, has the bits of who never saved.
        """
        for pending in self._pending.values():
            pending.held = True
        try:
            yield
        finally:
            for pending in self._pending.values():
                pending.held = False

    def waiting(self) -> list[tuple[float, Tensor] | None]:
        """Give the clock of each parameter, and up to which time each row is ``(d,)``.

        None: every row of it is settled.
        """
        every = self._pending.values()
        return [None if one.settled else (one.now, one.stamps) for one in every]

    def wait_on(self, waiting: Sequence[tuple[float, Tensor] | None]) -> None:
        """Go on with weights that were saved `unsettled`, by what `waiting` gave."""
        for pending, one in zip(self._pending.values(), waiting, strict=True):
            if one is not None:
                search(pending)  # a module that is found in its first call is settled
                pending.wait_on(*one)

    def __getstate__(self) -> dict[str, Any]:
        self.settle()
        state = super().__getstate__()
        assert isinstance(state, dict)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for parameter in group["params"]:
                self._begin(group, parameter)

    # ------------------------------------------------------------- what subclasses say
    def _settings(self, group: Group) -> tuple[float, ...]:
        """Give all that a wait depends on."""
        return float(group["l1"]), float(group["l2"])

    @abstractmethod
    def _decay(self, group: Group, parameter: Parameter) -> Decay:
        """Give what a wait does to rows."""

    @abstractmethod
    def _time(self, group: Group) -> float:
        """Give for how long a step lets the other rows wait."""

    @abstractmethod
    def _stepped(self, touched: Touched, weight: Tensor) -> Tensor:
        """Give the weights of touched rows after the step."""

    # ------------------------------------------------------------------------ the step
    def _begin(self, group: Group, parameter: Parameter) -> None:
        if "_pending" not in vars(self):
            self._pending = {}
            end = weakref.finalize(self, release, self._pending.values())
            end.atexit = False  # pyrefly: ignore[missing-attribute]
        pending = self._pending.get(parameter)
        decay, name = self._decay(group, parameter), self._name_of(parameter)
        if pending is None:
            pending = self._pending[parameter] = self._kind(parameter, decay, name)
            watch(pending)
        pending.decay = decay
        pending.settings = self._settings(group)

    def _catch_up(self, parameter: Parameter, rows: Tensor) -> None:
        self._pending[parameter].catch_up(rows)

    def _check(self, touched: Touched) -> None:
        pending = self._pending[touched.parameter]
        if not is_watched(pending):
            raise ParameterTaken(parameter=pending.name)
        row = pending.first_stale(touched.rows)
        if row is not None:
            rows = touched.rows
            raise StaleRows(
                parameter=pending.name,
                row=row,
                count=len(touched.parameter if rows is None else rows),
                advice="rows" if len(self._pending) == 1 else "rows, parameter",
            )

    def _update(self, touched: Touched) -> None:
        pending, group = self._pending[touched.parameter], touched.group
        with pending.lock:
            if pending.settings != self._settings(group):
                pending.settle()  # what has waited, has waited under the old settings
                self._begin(group, touched.parameter)
            if touched.rows is None:
                pending.settle()
                self._step_all(pending, touched)
                return
            self._step_rows(pending, touched, touched.rows)
        if not pending.found:
            search(pending)

    def _step_all(self, pending: Pending, touched: Touched) -> None:
        weight = touched.parameter
        weight.copy_(self._stepped(touched, weight))

    def _step_rows(self, pending: Pending, touched: Touched, rows: Tensor) -> None:
        weight = touched.parameter
        read = weight.index_select(0, rows)
        weight.index_copy_(0, rows, self._stepped(touched, read))
        pending.wait(self._time(touched.group), rows)
