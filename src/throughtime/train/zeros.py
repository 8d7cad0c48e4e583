"""How much of each layer's output is exactly 0: what sparsity there is to use.

Sigmoid and tanh are never exactly 0, a ReLU is for about half of its inputs.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from throughtime.graph.zeros import zero_values
from throughtime.nn import Recurrent, SparseSequences

# The course over time is of at most so many stretches of steps.
_STRETCHES = 16


@torch.no_grad()
def count_zeros(
    network: Recurrent,
    input: Tensor | SparseSequences,
    lengths: Tensor,
    **inputs: Tensor,
) -> dict[str, Any]:
    """Return the fractions of exact zeros, padding left out, as a run's metrics.

    `zero_fraction` is that of what each layer's cell gives. Where cells give many
    zeros, as a ReLU does, `zero_fraction_by_step` is the course over time: `first`, the
    steps at which stretches begin, the very first step being one by itself, and for
    each of `layers` the fraction in every stretch.

    Parameters
    ----------
    network
        The network, in evaluation.
    input
        ``(T, B, F)``, what it is given; sparse where it takes that.
    lengths
        ``(B,)``.
    **inputs
        The cell's further inputs, ``(T, B, n)``.
    """
    own = None if network.sparse_input else lengths  # sparse ones know theirs
    _, _, layers = network(input, lengths=own, return_layers=True, **inputs)
    step = torch.arange(input.shape[0])[:, None]
    alive = (step < lengths.cpu()).to(layers[0].device)
    edges = _edges(input.shape[0])
    found: list[float] = []
    courses: list[list[float]] = []
    for output in layers:
        zeros = ((output == 0) & alive[..., None]).sum((1, 2)).double()
        units = alive.sum(1) * output.shape[-1]
        found.append((zeros.sum() / units.sum()).item())
        parts = [zeros[a:b].sum() / units[a:b].sum() for a, b in edges]
        courses.append([part.item() for part in parts])
    if not any(graph.output in zero_values(graph) for graph in network.graphs):
        return {"zero_fraction": found}
    by_step = {"first": [first for first, _ in edges], "layers": courses}
    return {"zero_fraction": found, "zero_fraction_by_step": by_step}


def _edges(steps: int) -> list[tuple[int, int]]:
    """Cut so many steps into the first one and stretches that are about as long."""
    rest = min(_STRETCHES, steps) - 1
    if rest < 1:
        return [(0, steps)]
    return [(0, 1), *pairwise(1 + k * (steps - 1) // rest for k in range(rest + 1))]
