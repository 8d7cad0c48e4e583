"""Ways to run one half of a plan, and when each pays."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from throughtime.backends.llvm.schedule import schedule, splittable
from throughtime.backends.llvm.threads import give_up
from throughtime.graph.programs import Plan, Program, multiply_adds

FEW_SEQUENCES = 8
"""Below so many, products that need no state run before the loop."""
PER_MEETING = 1.3e11
"""Multiply-adds that pay for a meeting of threads, for each second that it takes: what
one thread does in that time, twice to halve it, and the time that the others' units
take to come from their caches."""
SOONEST = 2e-8
"""Seconds that no two cores meet within."""


def hoists(batch: int) -> bool:
    """Whether products that need no state leave the loop, for so many sequences.

    A step reads all of its weights. Many rows at once make up for that, and what is
    not written and read again is saved; a few rows do not.
    """
    return batch < FEW_SEQUENCES


def shares_units(batch: int, work: int) -> bool:
    """Whether threads share the units of a step of such work, not the sequences.

    ``work`` is what `step_work` says of the half that runs.
    """
    if batch >= torch.get_num_threads() or give_up() is None:
        return False
    if batch * work < PER_MEETING * SOONEST:
        return False  # whatever a meeting takes here
    # Needs llvmlite, which the other backends do without.
    from throughtime.backends.llvm.meeting import seconds_to_meet

    return batch * work >= PER_MEETING * seconds_to_meet()


def step_work(hoisted: Plan) -> tuple[int, int]:
    """Multiply-adds between two barriers in the loops of a plan's two halves.

    The least of all loops; 0 if no units are shared.
    """
    forward, backward = map(_least_work, (hoisted.forward, hoisted.backward))
    return forward, backward


def _least_work(programs: Sequence[Program]) -> int:
    loops = [program for program in programs if program.recurrent]
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
