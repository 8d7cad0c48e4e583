"""Who computes how much of a call, in words."""

from collections.abc import Sequence
from math import prod

import torch

from throughtime.backends.llvm.rows import parts_of, places_of_sums
from throughtime.graph import StepGraph
from throughtime.graph.plan import plan
from throughtime.nn.compiled.ways import shares_units, step_work

ALONE = "one for each sequence"


def thread_lines(
    graphs: Sequence[StepGraph], batch: int | None, *, sized: bool
) -> list[str]:
    """What threads do with layers, for a batch of sequences if that is known.

    ``sized`` says whether the graphs have the sizes of a module.
    """
    # Needs llvmlite, which the other backends do without.
    from throughtime.backends.llvm.kernel import SMALLEST_SHARE

    most = torch.get_num_threads()
    found = [f"at most torch's {most}; one for every {SMALLEST_SHARE:,} multiply-adds"]
    once = (
        "all steps at once: rows are divided; of weight gradients parts of the rows, "
        "then columns of the result"
    )
    if any(graph.states for graph in graphs):
        loops = _loops(graphs, batch, most, sized)
        found.append(f"loops: {loops}")
        if batch == 1 < most and ALONE in loops:
            once += "; all of it by one thread if it is little and other cores are far"
    return [*found, once]


def parts_text(graph: StepGraph, steps: int, batch: int, item_bytes: int) -> str:
    """In how many parts of the rows weight gradients are summed, if in several."""
    made = plan(graph, training=True)
    sizes = [prod(made.nodes[index].shape) for index in made.operands]
    _, sums = places_of_sums(sizes, item_bytes)
    rows = steps * batch
    parts = parts_of(rows, batch if graph.states else rows, sums)
    of = "sequences" if graph.states else "rows"
    return "" if parts == 1 else f", in {parts} parts of some {of} each"


def _loops(
    graphs: Sequence[StepGraph], batch: int | None, most: int, sized: bool
) -> str:
    """How so many threads share the steps."""
    if batch is None or batch >= most or not sized:
        many = "" if batch is None else f"B = {batch} "
        return f"{many}sequences are divided, each thread takes its own"
    plans = (plan(graph, training=True, hoist=True) for graph in graphs)
    forward, backward = (
        {shares_units(batch, work) for work in half}
        for half in zip(*map(step_work, plans), strict=True)
    )
    fewer = f"B = {batch} is fewer than {most} threads"
    if forward == backward == {True}:
        return f"{fewer}: they divide the units of each step"
    if forward == {True} and backward == {False}:
        return f"{fewer}: they divide the units of each step forward, not backward"
    where = "some layers have" if True in forward else "there is"
    return f"{fewer}: {ALONE}, {where} too little to divide"
