"""Sequences that begin anew: inside the step, where that is possible.

The step then reads a mark beside x, and no row changes its place. Elsewhere each part
between two resets is a sequence of its own, see `packing`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from throughtime.graph.resetting import RESETS

if TYPE_CHECKING:
    from throughtime.nn.layers import Layers

BACKWARDS = f"{RESETS}_backwards"
"""The same marks for a direction that begins at the last step."""


def begins_in_step(module: "Layers", like: Tensor) -> bool:
    """Whether resets may happen inside the step, of inputs like this one.

    Who draws, watches or keeps what happens wants each part as its own sequence, and
    a budget of memory knows nothing of what else is stored then.
    """
    seen = module.watching is not None or module.recorder is not None
    if seen or module.random or module.spacing.budget:
        return False
    choice = module.choice(like.dtype, like.device)
    return choice.backend == "llvm" and module.variants.can_begin_anew


def marks_of(
    resets: Tensor, lengths: Tensor | None, like: Tensor, *, both_ways: bool
) -> dict[str, Tensor]:
    """Marks ``(T, B, 1)`` for each direction, of resets ``(T, B)``; as ``like``."""
    resets = resets.to(like.device)
    found = {RESETS: resets.to(like.dtype).unsqueeze(-1)}
    if both_ways:
        # Backwards a part begins before the step at which the next one begins.
        steps = resets.shape[0]
        step = torch.arange(steps, device=like.device)[:, None]
        ends = steps if lengths is None else lengths.to(like.device)
        behind = resets.roll(-1, 0) & (step + 1 < ends)
        found[BACKWARDS] = behind.to(like.dtype).unsqueeze(-1)
    return found


def of_direction(direction: int, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inputs with the marks of one direction, if there are any."""
    found = {**inputs}
    backwards = found.pop(BACKWARDS, None)
    if direction and backwards is not None:
        found[RESETS] = backwards
    return found
