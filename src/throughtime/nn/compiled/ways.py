"""Ways to run one half of a plan, and when each pays."""

from typing import NamedTuple

import torch

from throughtime.backends.llvm.schedule import schedule, splittable
from throughtime.backends.llvm.threads import give_up
from throughtime.graph.programs import Plan, multiply_adds

FEW_SEQUENCES = 8
"""Below so many, products that need no state run before the loop."""
LEAST_SPLIT = 5_000
"""Multiply-adds between two barriers that pay for one."""


def hoists(batch: int) -> bool:
    """Whether products that need no state leave the loop, for so many sequences.

    A step reads all of its weights. Many rows at once make up for that, and what is
    not written and read again is saved; a few rows do not.
    """
    return batch < FEW_SEQUENCES


def shares_units(batch: int, work: int) -> bool:
    """Whether threads share the units of a step of such work, not the sequences.

    ``work`` is what `step_work` says.
    """
    if batch >= torch.get_num_threads():
        return False
    return batch * work >= LEAST_SPLIT and give_up() is not None


def step_work(hoisted: Plan) -> int:
    """Multiply-adds between two barriers in a plan's loops; 0 if no units are shared.

    The least of all loops: a step of the backward one has more barriers.
    """
    loops = [p for p in hoisted.forward + hoisted.backward if p.recurrent]
    if not all(map(splittable, loops)):
        return 0
    shares = (multiply_adds(p) // len(schedule(p, lanes=1).groups) for p in loops)
    return min(shares, default=0)


class Way(NamedTuple):
    """Which half of a plan, and how it runs; every way gives the same bits.

    Who does not ``contract`` gets δ and makes gradients of parameters of them itself.
    """

    backward: bool
    hoist: bool
    split_units: bool
    overwrite: bool
    contract: bool = True
