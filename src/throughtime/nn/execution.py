"""The one way through which every layer runs, whatever the backend."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from throughtime.backends import reference
from throughtime.backends.reference.layer import Rows
from throughtime.graph import StepGraph


def run_layer(
    graph: StepGraph,
    inputs: Mapping[str, Tensor],
    initial: Sequence[Tensor],
    parameters: Mapping[str, Tensor],
    *,
    steps: int,
    batch: int,
    counts: Tensor | None,
    reverse: bool,
    backend: str,
) -> tuple[Tensor, list[Tensor]]:
    """Output ``(N, H)`` and final states ``(B, n)`` of one layer and direction.

    Parameters
    ----------
    graph
        The step, as traced.
    inputs
        ``x`` and each further input, ``(N, n)``: the rows of step 0, of step 1, ….
    initial
        Each state's start, ``(B, n)``.
    parameters
        By their names in the graph.
    steps, batch
        T and B.
    counts
        Number of sequences alive at each step, ``(T,)`` int64 on the CPU, falling:
        the first rows of a step are alive. N may exceed their sum; the rows behind
        it are not read, and 0 in the output. None: all are alive, N = T·B.
    reverse
        Run from the last step to the first.
    backend
        One that `choice` has named.
    """
    return _reference(graph, inputs, initial, parameters, steps, batch, counts, reverse)


def _reference(
    graph: StepGraph,
    inputs: Mapping[str, Tensor],
    initial: Sequence[Tensor],
    parameters: Mapping[str, Tensor],
    steps: int,
    batch: int,
    counts: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, list[Tensor]]:
    alive = (batch,) * steps if counts is None else tuple(counts.tolist())
    behind = inputs["x"].shape[0] - sum(alive)
    if behind:
        inputs = {name: value[: sum(alive)] for name, value in inputs.items()}
    output, finals = reference.run_layer(
        graph, inputs, initial, parameters, Rows(alive), reverse
    )
    if behind:
        padding = output.new_zeros((behind, output.shape[1]))
        output = torch.cat([output, padding])
    return output, finals
