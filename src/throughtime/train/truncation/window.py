"""A window: the steps that are run together, and the losses that flow back in it."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from throughtime.errors import BadChunk, InputShapeMismatch, WindowNotRun
from throughtime.nn import CarriedState
from throughtime.train.truncation.steps import Steps

Network = Callable[..., tuple[Tensor, Any]]
"""Called as `Recurrent` is: ``(x, state, lengths=…, resets=…)``."""


class Window:
    """Some steps of a stream; the losses of the newest of them are to flow back.

    Windows come from `Truncation.windows`. A loop runs it, makes of the output one loss
    per step and row, and lets their `mean` or `sum` flow back.

    Attributes
    ----------
    inputs
        ``(S, B, …)``, all steps that are run.
    lengths
        How many of these each row has, ``(B,)``.
    resets
        At which a new sequence begins, ``(S, B)``.
    steps
        N, how many of them are the newest: only their losses count.
    counts
        Which of the newest steps there are, ``(N, B)``; behind a row's end is nothing.
    ends
        Once it was run: the states after so many steps, where they were looked at.
    look
        Called with the losses before they flow back.
    """

    def __init__(
        self,
        steps: Steps,
        newest: int,
        start: CarriedState,
        network: Network,
        edges: Mapping[int, float],
    ) -> None:
        old = len(steps) - newest
        self.inputs, self.resets, self.lengths = (
            steps.inputs,
            steps.resets,
            steps.lengths,
        )
        self.steps = newest
        self._targets = None if steps.targets is None else steps.targets[old:]
        self.counts = steps.living[old:]
        self.ends: dict[int, list[Tensor]] = {}
        self.look: Callable[[Window, Tensor], None] | None = None
        self._start, self._network = start, network
        # Between which steps the state is looked at, and what error is multiplied by
        # on its way back.
        self._edges = {step: f for step, f in edges.items() if 0 < step < len(steps)}

    @property
    def targets(self) -> Tensor:
        """Of the newest steps, ``(N, B, …)``.

        Raises
        ------
        BadChunk
            The stream has none.
        """
        if self._targets is None:
            raise BadChunk(
                given="no targets",
                expected="those of its steps",
                advice="give targets to the chunks, or losses that need none",
            )
        return self._targets

    def run(self, network: Network | None = None) -> Tensor:
        """Run all steps from the state at the window's start.

        Parameters
        ----------
        network
            What to run: called as `Recurrent` is, with ``(x, state, lengths=…,
            resets=…)``, it returns output and state. Steps may be given in several
            calls; lengths and resets are None where there is nothing to say. None: the
            module alone.

        Returns
        -------
        output
            Of the newest steps, ``(N, B, H)``.
        """
        call = self._network if network is None else network
        state: Any = self._start
        outputs: list[Tensor] = []
        self.ends = {}
        for first, last in pairwise([0, *sorted(self._edges), len(self.inputs)]):
            output, after = call(
                self.inputs[first:last], state, **self._packing(first, last)
            )
            values = [after] if isinstance(after, Tensor) else list(after)
            factor = self._edges.get(last, 1.0)
            if factor != 1.0:
                values = [scaled(value, factor) for value in values]
            self.ends[last], state = values, values
            outputs.append(output)
        whole = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        return whole[len(self.inputs) - self.steps :]

    def sum(self, losses: Tensor) -> Tensor:
        """Add the losses ``(N, B)`` of the newest steps that there are.

        Of all windows of a stream these are its losses, each once.
        """
        if losses.shape != self.counts.shape:
            raise InputShapeMismatch(
                argument="losses",
                given=tuple(losses.shape),
                expected=tuple(self.counts.shape),
            )
        if self.look is not None:
            self.look(self, losses)
        return torch.where(self.counts, losses, 0).sum()

    def mean(self, losses: Tensor) -> Tensor:
        """Give the mean of the losses ``(N, B)`` of the newest steps that there are."""
        return self.sum(losses) / self.counts.sum()

    def state_at(self, step: int) -> CarriedState:
        """The states after so many steps, without their graph.

        Raises
        ------
        WindowNotRun
            The window was not run.
        """
        if not self.ends:
            raise WindowNotRun(missing="being run", advice="call run() on each window")
        state = self._start.detach()
        if step:
            ends = [value.detach() for value in self.ends[step]]
            state.update(ends, self.lengths.clamp(max=step))
        return state

    def _packing(self, first: int, last: int) -> dict[str, Any]:
        """What a call has to know of its steps beside the inputs."""
        lengths = (self.lengths - first).clamp(0, last - first)
        resets = self.resets[first:last]
        return {
            "lengths": None if bool((lengths == last - first).all()) else lengths,
            "resets": resets if bool(resets.any()) else None,
        }


class _Scaled(torch.autograd.Function):
    """A value as it is, whose gradient is multiplied."""

    @staticmethod
    def forward(  # type: ignore[bad-override]
        ctx: Any, value: Tensor, factor: float
    ) -> Tensor:
        ctx.factor = factor
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, None]:
        return gradients[0] * ctx.factor, None


def scaled(value: Tensor, factor: float) -> Tensor:
    """The value, whose gradient arrives multiplied by the factor."""
    return _Scaled.apply(value, factor)
