"""Who computes how much of a call, in words."""

from collections.abc import Sequence

import torch

from throughtime.graph import StepGraph
from throughtime.graph.plan import plan
from throughtime.nn.compiled.ways import shares_units, step_work


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
    if any(graph.states for graph in graphs):
        found.append(f"loops: {_loops(graphs, batch, most, sized)}")
    divided = "rows are divided; of weight gradients the result's"
    return [*found, f"all steps at once: {divided}"]


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
    return f"{fewer}: one for each sequence, {where} too little to divide"
