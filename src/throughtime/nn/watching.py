"""Error on its way back through time, and saturation, as a backward pass meets them.

The backward pass of a watched module says of every layer, step and sequence how long
``∂L/∂s_t`` is, for each state s, and what share of each sigmoid and tanh is saturated.
It is the pass that gives the gradients of the weights: their bits are the same.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor, nn

from throughtime.errors import NothingWatched, WatchedTwice
from throughtime.graph import StepGraph
from throughtime.graph.operations import ERROR
from throughtime.graph.watching import PROBE, Report, Watched, watched
from throughtime.nn.finding import recurrent_module
from throughtime.nn.packing import Packing
from throughtime.nn.permuting import put, taken

Reports = dict[tuple[int, int, str], Tensor]
"""By layer, direction and name, ``(T, B)``."""


class WatchedCall:
    """One call of a watched module, and what its backward pass reported.

    With a ``PackedSequence`` sequences are in its order, the longest first; elsewhere
    in the order in which they were given.
    """

    def __init__(self, steps: int, parts: int, packing: Packing | None) -> None:
        self._steps, self._parts, self._packing = steps, parts, packing
        self._probes: dict[tuple[int, int], Tensor] = {}
        self._reports: dict[tuple[int, int], tuple[Report, ...]] = {}

    def watch(
        self,
        layer: int,
        direction: int,
        graph: StepGraph,
        inputs: Mapping[str, Tensor],
    ) -> tuple[StepGraph, Mapping[str, Tensor]]:
        """What runs in place of a layer's graph, and what it reads."""
        found = _watched(graph)
        if not found.reports:
            return graph, inputs
        x = inputs["x"]
        shape = (*x.shape[:-1], len(found.reports))
        probe = torch.zeros(shape, dtype=x.dtype, device=x.device, requires_grad=True)
        self._probes[layer, direction] = probe
        self._reports[layer, direction] = found.reports
        return found.graph, {**inputs, PROBE: probe}

    def report(self, loss: Tensor) -> None:
        """Let the error of a loss report, and nothing else: no weight has a gradient.

        What was reported before is replaced; other losses of the call may follow.

        Raises
        ------
        NothingWatched
            The module has nothing to report.
        """
        if not self.probes:
            raise NothingWatched
        found = torch.autograd.grad(
            loss, self.probes, retain_graph=True, materialize_grads=True
        )
        for probe, gradient in zip(self.probes, found, strict=True):
            probe.grad = gradient

    @property
    def probes(self) -> list[Tensor]:
        """The inputs whose gradients are the reports."""
        return list(self._probes.values())

    @property
    def reported(self) -> bool:
        """Whether a backward pass has come through here."""
        return any(probe.grad is not None for probe in self.probes)

    @property
    def alive(self) -> Tensor:
        """Which steps a sequence has, booleans ``(T, B)``."""
        if self._packing is None:
            return torch.ones((self._steps, self._parts), dtype=torch.bool)
        rows = int(self._packing.counts.sum())
        ones = torch.ones((rows, 1), device=self._packing.counts.device)
        return self._in_time(ones)[..., 0] > 0

    @property
    def norms(self) -> Reports:
        """‖∂L/∂s_t‖ by layer, direction and state, ``(T, B)``; 0 behind the end.

        Squares are added in the dtype of the module: in float32 what is shorter than
        about 1e-22 reads as 0, and what is longer than 1e19 as infinite.
        """
        return {
            key: values.sqrt()
            for key, report, values in self._each()
            if report.kind == ERROR
        }

    @property
    def saturation(self) -> Reports:
        """The share of units whose slope is below a tenth of the steepest.

        By layer, direction and name of a sigmoid or tanh, ``(T, B)``; 0 behind the end.
        """
        return {
            key: values / report.units
            for key, report, values in self._each()
            if report.kind != ERROR
        }

    def functions(self) -> dict[tuple[int, int, str], str]:
        """``"sigmoid"`` or ``"tanh"``, for each of `saturation`."""
        return {
            (*place, report.name): report.kind
            for place, reports in self._reports.items()
            for report in reports
            if report.kind != ERROR
        }

    def _each(self) -> Iterator[tuple[tuple[int, int, str], Report, Tensor]]:
        for (layer, direction), probe in self._probes.items():
            if probe.grad is None:
                raise NothingWatched
            values = self._in_time(probe.grad, direction)
            reports = self._reports[layer, direction]
            for number, report in enumerate(reports):
                yield (layer, direction, report.name), report, values[..., number]

    def _in_time(self, rows: Tensor, direction: int = 0) -> Tensor:
        """Rows as a direction reads them, ``(T, B, n)``."""
        packing = self._packing
        if packing is None:
            return rows.view(self._steps, self._parts, rows.shape[-1])
        if direction and packing.mirror is not None:
            rows = taken(rows, packing.mirror)
        if packing.gather is None or packing.ends is None:
            whole = rows.new_zeros((self._steps, self._parts, rows.shape[-1]))
            counts = packing.counts.to(rows.device)
            living = torch.arange(self._parts, device=rows.device) < counts[:, None]
            whole[living] = rows[: int(counts.sum())]
            return whole
        batch = len(packing.ends[0])
        return put(rows, packing.gather, self._steps * batch).view(
            self._steps, batch, rows.shape[-1]
        )


@lru_cache(maxsize=64)
def _watched(graph: StepGraph) -> Watched:
    return watched(graph)


class Watching:
    """What is seen of a module while it is watched."""

    def __init__(self) -> None:
        self.calls: list[WatchedCall] = []

    def call(self, steps: int, parts: int, packing: Packing | None) -> WatchedCall:
        """Begin with a further call of the module."""
        self.calls.append(WatchedCall(steps, parts, packing))
        return self.calls[-1]

    def report(self, loss: Tensor) -> None:
        """Run a backward pass for the reports alone: no weight has a gradient of it.

        Raises
        ------
        NothingWatched
            The module was not called, or has nothing to report.
        """
        probes = [probe for call in self.calls for probe in call.probes]
        if not probes:
            raise NothingWatched
        loss.backward(inputs=probes)

    def forget(self) -> None:
        """Drop all calls so far."""
        self.calls.clear()

    @property
    def norms(self) -> Reports:
        """Those of the newest call, see `WatchedCall.norms`."""
        return self._newest.norms

    @property
    def saturation(self) -> Reports:
        """That of the newest call, see `WatchedCall.saturation`."""
        return self._newest.saturation

    @property
    def _newest(self) -> WatchedCall:
        if not self.calls:
            raise NothingWatched
        return self.calls[-1]


@contextmanager
def watch(module: nn.Module) -> Iterator[Watching]:
    """Watch a recurrent module, or the one in a model, as long as this lasts.

    Calls are watched where gradients are recorded; ``loss.backward()`` then reports::

        with watch(model) as watching:
            criterion(model(x), y).backward()
        watching.norms[0, 0, "h"]  # ‖∂L/∂h_t‖, (T, B)

    `torch.autograd.grad` reports nothing, for it computes only what it is asked for. Of
    a compiled module nothing is seen.

    Raises
    ------
    NoRecurrentModule, SeveralRecurrentModules
        There is not exactly one recurrent module.
    WatchedTwice
        It is watched already.
    """
    _, layers = recurrent_module("watch", module)
    if layers.watching is not None:
        raise WatchedTwice
    layers.watching = Watching()
    try:
        yield layers.watching
    finally:
        layers.watching = None
