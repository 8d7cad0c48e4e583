"""Where the time of compiled code goes: the regions of a kernel, one at a time."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from throughtime.graph.programs import GRADIENT, Program

PACKING = "packing"
EDGES = "first and last states"
BEFORE = "before the loop"
LOOP = "loop"
BEHIND = "behind the loop"
ALL_STEPS = "all steps at once"
BACKWARD = "backward: "
INPUT_GRADIENT = "input gradient"
WEIGHT_GRADIENTS = "weight gradients"

Seconds = dict[str, float]

_watching: list[Seconds] = []


@contextmanager
def profiled() -> Iterator[Seconds]:
    """Time each region of every kernel that runs inside, in whichever thread.

    Yields
    ------
    seconds
        By the names of `region_names`, ``packing`` for the panels of weights, and
        ``first and last states`` for what stands before and behind all regions; of
        all calls together. A region lasts until the last of its threads is done.
    """
    seconds: Seconds = {}
    _watching.append(seconds)
    try:
        yield seconds
    finally:
        # By identity: two who watch the same calls hold equal numbers.
        _watching[:] = [other for other in _watching if other is not seconds]


def watching() -> bool:
    """Whether somebody wants to know."""
    return bool(_watching)


def timed(name: str, part: Callable[[], None]) -> None:
    """Run a part, and tell those who watch how long it took."""
    start = time.perf_counter()
    part()
    taken = time.perf_counter() - start
    for seconds in _watching:
        seconds[name] = seconds.get(name, 0.0) + taken


def region_names(
    programs: Sequence[Program], regions: int, *, backward: bool
) -> tuple[str, ...]:
    """What so many regions of a kernel do, in the order in which they run."""
    loops = [place for place, one in enumerate(programs) if one.recurrent]
    names = [
        _name(one, place, loops[0] if loops else None, backward=backward)
        for place, one in enumerate(programs)
    ]
    return (*names, *[WEIGHT_GRADIENTS] * (regions - len(names)))


def _name(program: Program, place: int, loop: int | None, *, backward: bool) -> str:
    if not program.recurrent and _gives_input_gradients(program):
        return INPUT_GRADIENT
    if loop is None:
        found = ALL_STEPS
    else:
        found = (BEFORE, LOOP, BEHIND)[(place >= loop) + (place > loop)]
    return BACKWARD + found if backward else found


def _gives_input_gradients(program: Program) -> bool:
    buffers = [store.span.buffer for store in program.stores]
    return any(buffer.startswith(f"{GRADIENT} ") for buffer in buffers)
