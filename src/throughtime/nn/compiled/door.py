"""The door to machine code: what enters has the sizes that the code was made for.

Compiled code gets addresses and trusts them; a tensor of another shape, type or device
would be read past its end. Every way to a compiled layer, the registered operators
included, passes here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from throughtime.errors import LayerMismatch
from throughtime.graph import StepGraph
from throughtime.graph.random_values import is_random

DTYPES = (torch.float32, torch.float64)


def saved_shape(
    graph: StepGraph, width: int, rows: int, steps: int, batch: int, segment: int
) -> tuple[int, ...]:
    """Shape of what a forward pass saves in so many columns.

    Of segments of so many steps it is the states before the first, the second, ….
    """
    if segment:
        count = -(-max(steps, 1) // segment)
        return count * batch, sum(state.size for state in graph.states)
    return (batch if graph.states else 0) + rows, width


class Door:
    """The one of a step graph.

    What it refuses raises `LayerMismatch`: a tensor of another shape, dtype or device,
    or too few of them.

    Parameters
    ----------
    graph
        The step.
    saved_width
        Numbers from a row of what a forward pass saves to the next one.
    """

    def __init__(self, graph: StepGraph, saved_width: int) -> None:
        self.graph = graph
        self._saved_width = saved_width
        self._inputs = [("x", graph.input_size)]
        self._inputs += [(declared.name, declared.size) for declared in graph.inputs]
        self._states = [(f"state {state.name}", state.size) for state in graph.states]
        self._needs_starts = any(state.learned for state in graph.states)
        self._gradients = [
            (f"gradient of {state.name}", state.size) for state in graph.states
        ]
        self._parameters = [
            (declared.name, declared.shape) for declared in graph.parameters
        ]
        self._keys = ["key"] if is_random(graph) else []

    def check_layer(
        self,
        inputs: Sequence[Tensor],
        initial: Sequence[Tensor],
        parameters: Sequence[Tensor],
        batch: int,
    ) -> None:
        """Refuse tensors that do not fit the graph, or each other.

        Parameters
        ----------
        inputs
            ``x`` and each further input, ``(N, n)`` or ``(T, B, n)``.
        initial
            Each state's start, ``(B, n)``, or nothing.
        parameters
            In the order of the graph, and behind them the key of one that draws.
        batch
            B.
        """
        self._check_count("inputs", inputs, len(self._inputs))
        states = self._states if initial or self._needs_starts else []
        self._check_count("states", initial, len(states))
        expected = len(self._parameters) + len(self._keys)
        self._check_count("parameters", parameters, expected)
        leading, dtype = inputs[0].shape[:-1], inputs[0].dtype
        if dtype not in DTYPES:
            raise self._mismatch("x", f"of {dtype}", "float32 or float64")
        for (name, size), value in zip(self._inputs, inputs, strict=True):
            self._check(name, value, (*leading, size), dtype)
        for (name, size), value in zip(states, initial, strict=True):
            self._check(name, value, (batch, size), dtype)
        for (name, shape), value in zip(self._parameters, parameters, strict=False):
            self._check(name, value, shape, dtype)
        for name in self._keys:
            self._check(name, parameters[-1], (1,), torch.int64)

    def check_rows(self, rows: int, steps: int, batch: int) -> None:
        """Refuse fewer rows than T·B."""
        if rows < steps * batch:
            expected = f"at least {steps} steps of {batch} sequences"
            raise self._mismatch("x", f"of {rows} rows", expected)

    def check_counts(self, counts: Tensor, rows: int, batch: int) -> None:
        """Refuse numbers of living sequences that the rows cannot have."""
        falling = bool((counts[1:] <= counts[:-1]).all())
        inside = not len(counts) or (int(counts.min()) >= 0 and int(counts[0]) <= batch)
        if not (falling and inside and int(counts.sum()) <= rows):
            expected = f"falling numbers up to {batch}, {rows} rows in all"
            raise self._mismatch("counts", str(counts.tolist()), expected)

    def check_segment(self, segment: int, counts: Tensor | None, steps: int) -> None:
        """Refuse segments of less than no step, or counts of more steps or fewer."""
        if segment < 0:
            raise self._mismatch("segment", f"{segment}", "0 or more steps")
        if segment and counts is not None and len(counts) != steps:
            raise self._mismatch("counts", f"{len(counts)} numbers", f"{steps}")

    def check_stored(
        self,
        output: Tensor,
        saved: Tensor,
        output_gradient: Tensor,
        final_gradients: Sequence[Tensor | None],
        like: Tensor,
        steps: int,
        batch: int,
        segment: int,
    ) -> None:
        """Refuse what a forward pass stored, or gradients, if their shape is another.

        ``like`` is x.
        """
        rows, dtype = like.shape[:-1].numel(), like.dtype
        expected = (*like.shape[:-1], self.graph.output_size)
        self._check("output", output, expected, dtype)
        shape = saved_shape(self.graph, self._saved_width, rows, steps, batch, segment)
        self._check("saved", saved, shape, dtype)
        self._check("gradient of the output", output_gradient, expected, dtype)
        self._check_count("gradients", final_gradients, len(self._gradients))
        for (name, size), value in zip(self._gradients, final_gradients, strict=True):
            if value is not None:
                self._check(name, value, (batch, size), dtype)

    def _check(
        self, argument: str, value: Tensor, shape: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        if value.shape != shape:
            given = f"of shape {tuple(value.shape)}"
            raise self._mismatch(argument, given, str(shape))
        if value.dtype != dtype:
            raise self._mismatch(argument, f"of {value.dtype}", f"{dtype}")
        if not value.is_cpu:
            raise self._mismatch(argument, f"on {value.device}", "the CPU, as x is")

    def _check_count(
        self, argument: str, values: Sequence[Tensor | None], expected: int
    ) -> None:
        if len(values) != expected:
            raise self._mismatch(argument, f"{len(values)} tensors", f"{expected}")

    def _mismatch(self, argument: str, given: str, expected: str) -> LayerMismatch:
        return LayerMismatch(
            cell=self.graph.cell, argument=argument, given=given, expected=expected
        )
