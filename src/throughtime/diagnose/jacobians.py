"""Jacobians of a step: how each unit of the states moves each unit of the next ones.

They come from the backward pass of one step, run for many rows at once: every step of
the trajectory stands there once for every unit, each copy with the error of one unit.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from throughtime.diagnose.trajectories import (
    Given,
    Passage,
    State,
    check_layers,
    in_numbers,
    passages,
)
from throughtime.errors import StatesDiverged
from throughtime.nn.execution import run_layer
from throughtime.nn.layers import Layers
from throughtime.nn.precision import own_precision
from throughtime.nn.sequences import Lengths, Sequences

_ROWS = 2**13
"""Rows of one call: enough to fill the machine, few enough to fit its memory."""


def jacobians(
    module: Layers,
    input: Given,
    state: State | None = None,
    *,
    lengths: Lengths | None = None,
    dtype: torch.dtype = torch.float64,
    **inputs: Sequences,
) -> dict[tuple[int, int], Tensor]:
    """Jacobians ∂(new states)/∂(old states) of every layer along a trajectory.

    A layer is taken by itself: what it reads from below stays as it is. All of its
    states stand side by side in declared order, so of an LSTM with n units a Jacobian
    is 2n × 2n. Random values are at their means, as in evaluation. The results are
    T·B·N² numbers for each layer and direction.

    Parameters
    ----------
    module
        `Recurrent`, or one of `torch.nn`'s kinds from `throughtime.nn`.
    input, state, lengths, **inputs
        As in a call of the module.
    dtype
        In which numbers to compute, whatever the module's are.

    Returns
    -------
    dict
        ``(layer, direction) -> (T, B, N, N)``; row i, column j is the derivative of new
        unit i by old unit j. Steps are in the order in which the direction takes them;
        behind a sequence's end is the identity.

    Raises
    ------
    NotLayers, NothingCarried
        The module is none, or its cell has no states.
    StatesDiverged
        States or derivatives are not finite.
    """
    check_layers(module, "a Jacobian")
    judged, input, state, others = in_numbers(module, input, state, inputs, dtype)
    with torch.no_grad():
        found = passages(judged, input, state, lengths, others)
    return {
        (one.layer, one.direction): torch.cat(list(jacobians_of(one))) for one in found
    }


def jacobians_of(passage: Passage, *, differentiable: bool = False) -> Iterator[Tensor]:
    """Jacobians of some steps after the other, ``(S, B, N, N)`` each.

    With ``differentiable`` gradients flow through them, and all come in one piece.
    """
    batch, size = passage.before[0].shape[1], passage.size
    stretch = passage.steps if differentiable else max(1, _ROWS // (batch * size))
    identity = torch.eye(size).to(passage.before[0])
    alive = passage.alive
    for first in range(0, passage.steps, max(stretch, 1)):
        some = slice(first, first + stretch)
        found = derivatives(
            passage,
            {name: value[some].flatten(0, 1) for name, value in passage.inputs.items()},
            [state[some].flatten(0, 1) for state in passage.before],
            differentiable=differentiable,
        )[1].view(-1, batch, size, size)
        found = torch.where(alive[some, :, None, None], found, identity)
        finite = found.isfinite().flatten(1).all(1)
        for state in passage.before:
            finite &= state[some].isfinite().flatten(1).all(1)
        if not finite.all():
            step = first + int((~finite).nonzero()[0])
            where = passage.layer, passage.direction
            raise StatesDiverged(layer=where[0], direction=where[1], step=step)
        yield found


def derivatives(
    passage: Passage,
    inputs: dict[str, Tensor],
    states: list[Tensor],
    *,
    differentiable: bool = False,
) -> tuple[Tensor, Tensor]:
    """New states ``(R, N)`` of one step from R old ones, and Jacobians ``(R, N, N)``.

    Parameters
    ----------
    passage
        Says which step.
    inputs
        What each row reads, ``(R, n)``.
    states
        Where each row stands, ``(R, n)`` for each state.
    differentiable
        Whether gradients flow through what is given.
    """
    rows, size = len(states[0]), passage.size
    with torch.enable_grad():
        copies = [_copies(state, size, differentiable) for state in states]
        after = _step(
            passage,
            {name: value.repeat_interleave(size, 0) for name, value in inputs.items()},
            copies,
        )
        units = torch.eye(size).to(copies[0]).repeat(rows, 1)
        parts = units.split([state.shape[1] for state in states], 1)
        # A new state that follows from the input alone has no graph.
        pairs = [
            pair for pair in zip(after, parts, strict=True) if pair[0].requires_grad
        ]
        found = torch.autograd.grad(
            [new for new, _ in pairs],
            copies,
            [part.contiguous() for _, part in pairs],
            create_graph=differentiable,
            allow_unused=True,
            materialize_grads=True,
        )
    joint = torch.cat([new[::size] for new in after], 1)
    side_by_side = found[0] if len(found) == 1 else torch.cat(found, 1)
    return joint, side_by_side.view(rows, size, size)


def _copies(state: Tensor, count: int, differentiable: bool) -> Tensor:
    """Each row so many times, as something to differentiate by."""
    copies = state.repeat_interleave(count, 0)
    if differentiable and copies.requires_grad:
        return copies
    return copies.detach().requires_grad_()


def _step(
    passage: Passage, inputs: dict[str, Tensor], states: list[Tensor]
) -> list[Tensor]:
    with own_precision(states[0].device):
        _, after = run_layer(
            passage.graph,
            inputs,
            states,
            passage.parameters,
            steps=1,
            batch=len(states[0]),
            counts=None,
            reverse=False,
            backend=passage.choice.backend,
        )
    return after
