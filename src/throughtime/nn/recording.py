"""Calls of a module whose steps are kept: states, and the error that reaches them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from throughtime.graph import StepGraph
from throughtime.graph.probing import probed
from throughtime.graph.random_values import is_random
from throughtime.nn.compiled.extents import places_of_rows
from throughtime.nn.execution import Result, first_states, run_layer
from throughtime.nn.packing import Packing
from throughtime.nn.precision import own_precision

_probed = lru_cache(maxsize=64)(probed)


@dataclass
class Steps:
    """All steps of one layer in one direction, of one call.

    R is the number of steps of all sequences together; rows are in the order in which
    the layer ran.

    Parameters
    ----------
    graph
        The step; what it draws anew for steps or sequences are further inputs.
    inputs
        ``x`` and each further input, ``(R, n)``, without their graph.
    before, after
        Each state before the steps and after them, ``(R, n)``, without their graph.
    errors
        What was added to each new state, 0; behind a backward pass its gradient is
        ∂E/∂(state after the step), ``(R, n)`` or ``(T, B, n)``.
    parameters
        The weights by their names in the graph.
    sequences
        Which sequence of the call each row is of, ``(R,)``.
    size
        B, the number of sequences.
    backend, bfloat16, key
        How the call ran.
    """

    graph: StepGraph
    inputs: Mapping[str, Tensor]
    before: Sequence[Tensor]
    after: Sequence[Tensor]
    errors: Sequence[Tensor]
    parameters: Mapping[str, Tensor]
    sequences: Tensor
    size: int
    backend: str
    bfloat16: bool
    key: Tensor | None

    @property
    def reached(self) -> bool:
        """Whether a backward pass has gone through the call."""
        return any(error.grad is not None for error in self.errors)

    def gradients(self) -> list[Tensor]:
        """∂E/∂(each state after the steps), ``(R, n)``."""
        rows = len(self.sequences)
        return [
            torch.zeros_like(after)
            if error.grad is None
            else error.grad.reshape(-1, after.shape[1])[:rows]
            for error, after in zip(self.errors, self.after, strict=True)
        ]

    def again(self, before: Sequence[Tensor]) -> list[Tensor]:
        """Run all steps once more side by side, each from a state of its own.

        Parameters
        ----------
        before
            ``(R, n)`` for each state.

        Returns
        -------
        list of torch.Tensor
            The new states, ``(R, n)``.
        """
        inputs = {name: value.unsqueeze(0) for name, value in self.inputs.items()}
        with own_precision(self.sequences.device):
            _, after = run_layer(
                self.graph,
                inputs,
                before,
                self.parameters,
                steps=1,
                batch=len(self.sequences),
                counts=None,
                reverse=False,
                backend=self.backend,
                bfloat16=self.bfloat16,
                key=self.key if is_random(self.graph) else None,
            )
        return after


class Recorder:
    """Keeps the steps of the calls that may be followed by a backward pass."""

    def __init__(self) -> None:
        self.calls: list[Steps] = []

    def runner(self, packing: Packing | None) -> Callable[..., Result]:
        """What runs a layer in place of `run_layer`, and keeps its steps.

        Parameters
        ----------
        packing
            Of the call.
        """
        if not torch.is_grad_enabled():
            return run_layer
        return partial(self._run, packing)

    def _run(
        self,
        packing: Packing | None,
        graph: StepGraph,
        inputs: Mapping[str, Tensor],
        initial: Sequence[Tensor],
        parameters: Mapping[str, Tensor],
        *,
        batch: int,
        reverse: bool,
        key: Tensor | None,
        **how: Any,
    ) -> Result:
        found, x = _probed(graph), inputs["x"]
        errors = [
            x.new_zeros((*x.shape[:-1], state.size), requires_grad=True)
            for state in graph.states
        ]
        output, finals = run_layer(
            found.graph,
            {**inputs, **dict(zip(found.errors, errors, strict=True))},
            initial,
            parameters,
            batch=batch,
            reverse=reverse,
            key=key,
            **how,
        )
        rows = output.detach().flatten(0, -2)
        extent = _extent(len(rows), batch, packing)
        ends = [rows[: extent.rows, first:last] for first, last in found.ends]
        after, drawn = ends[: len(errors)], ends[len(errors) :]
        starts = initial or first_states(graph, batch, x)
        befores = zip(starts, after, strict=True)
        own = _read(inputs, extent.rows) | dict(zip(found.drawn, drawn, strict=True))
        steps = Steps(
            graph=found.alone,
            inputs=own,
            before=[extent.before(a.detach(), b, reverse) for a, b in befores],
            after=after,
            errors=errors,
            parameters=parameters,
            sequences=extent.sequences.to(x.device),
            size=extent.size,
            backend=how["backend"],
            bfloat16=how["bfloat16"],
            key=key,
        )
        self.calls.append(steps)
        return output[..., : graph.output_size], finals


def _read(inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """What was read, ``(R, n)``, without its graph."""
    return {n: value.detach().flatten(0, -2)[:rows] for n, value in inputs.items()}


@dataclass(frozen=True)
class _Extent:
    """How rows divide into steps: which sequence each is of, and what lies before."""

    rows: int
    parts: int
    size: int
    sequences: Tensor
    counts: Tensor | None

    def before(self, start: Tensor, after: Tensor, reverse: bool) -> Tensor:
        """The state that each row started from, of that which each one ended in."""
        if self.counts is None:
            rows = len(after) - self.parts
            if reverse:
                return torch.cat([after[self.parts :], start])
            return torch.cat([start, after[:rows]])
        if not self.rows:
            return after
        counts = self.counts.tolist()
        firsts = [0, *self.counts.cumsum(0).tolist()]
        parts = [start[: counts[0]]]
        for first, count in zip(firsts, counts[1:], strict=False):
            parts.append(after[first : first + count])
        return torch.cat(parts)


def _extent(rows: int, batch: int, packing: Packing | None) -> _Extent:
    if packing is None:
        every = torch.arange(batch).repeat(rows // max(batch, 1))
        return _Extent(rows, batch, batch, every, None)
    _, part = places_of_rows(packing.counts)
    if packing.sequences is None or packing.ends is None:  # torch has packed them
        return _Extent(len(part), packing.size, packing.size, part, packing.counts)
    sequences = packing.sequences.cpu()[part]
    size = len(packing.ends[0])
    return _Extent(len(part), packing.size, size, sequences, packing.counts)
