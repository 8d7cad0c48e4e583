"""The one way through which every layer runs, whatever the backend."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from throughtime.backends import reference
from throughtime.backends.reference.layer import Rows
from throughtime.graph import StepGraph
from throughtime.graph.serialize import text_of
from throughtime.nn.compiled import operators
from throughtime.nn.compiled.second import Where
from throughtime.nn.compiled.segments import cut, divide

Result = tuple[Tensor, list[Tensor]]


class Run(NamedTuple):
    """One layer in one direction, as `run_layer` was asked for it."""

    graph: StepGraph
    inputs: Mapping[str, Tensor]
    initial: Sequence[Tensor]
    parameters: Mapping[str, Tensor]
    steps: int
    batch: int
    counts: Tensor | None
    reverse: bool
    backend: str
    operation: str
    segment: int
    bfloat16: bool
    key: Tensor | None
    first: int = 0
    """The first of the rows among those of all segments."""


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
    operation: str = "",
    segment: int = 0,
    bfloat16: bool = False,
    key: Tensor | None = None,
) -> Result:
    """Output ``(N, H)`` and final states ``(B, n)`` of one layer and direction.

    Parameters
    ----------
    graph
        The step, as traced.
    inputs
        ``x`` and each further input, ``(N, n)``: the rows of step 0, of step 1, …; or
        without counts ``(T, B, n)``. The output has the form of the inputs.
    initial
        Each state's start, ``(B, n)``; nothing for that of the declarations.
    parameters
        By their names in the graph.
    steps, batch
        T and B.
    counts
        Number of sequences alive at each step, ``(T,)`` int64 on the CPU, falling:
        the first rows of a step are alive. N is at least their sum; the rows behind
        it are not read, and 0 in the output. None: all are alive, N = T·B.
    reverse
        Run from the last step to the first; never with counts.
    backend, operation
        What `choose` answered.
    segment
        For a backward pass store the states every so many steps, and compute what
        lies between again; 0: store what every step needs.
    bfloat16
        Whether compiled products round their operands to bfloat16.
    key
        Of what the step draws, ``(1,)`` int64; None where it draws nothing.
    """
    run = Run(
        graph,
        inputs,
        initial,
        parameters,
        steps,
        batch,
        counts,
        reverse,
        backend,
        operation,
        segment if torch.is_grad_enabled() else 0,
        bfloat16,
        key,
    )
    if run.segment and backend != "llvm":
        return _in_segments(run)
    return RUNNERS[backend](run)


def _living(run: Run) -> tuple[tuple[int, ...], int]:
    """Sequences alive at each step, and the number of their rows."""
    if run.counts is None:
        return (run.batch,) * run.steps, run.steps * run.batch
    counts = tuple(int(count) for count in run.counts.tolist())
    return counts, sum(counts)


def first_states(graph: StepGraph, batch: int, like: Tensor) -> list[Tensor]:
    """Where states begin by their declarations, ``(B, n)`` each."""
    return [like.new_full((batch, state.size), state.number) for state in graph.states]


def _on_rows(run: Run) -> Run:
    """The same with inputs ``(N, n)`` and all states given."""
    x = run.inputs["x"]
    inputs = {name: value.flatten(0, -2) for name, value in run.inputs.items()}
    initial = run.initial or first_states(run.graph, run.batch, x)
    return run._replace(inputs=inputs, initial=initial)


def _formed(output: Tensor, like: Tensor) -> Tensor:
    """Output rows with 0 for those behind them, in the form of the inputs."""
    behind = prod(like.shape[:-1]) - output.shape[0]
    if behind:
        output = torch.cat([output, output.new_zeros((behind, output.shape[1]))])
    return output.view(*like.shape[:-1], output.shape[1])


def _in_segments(given: Run) -> Result:
    """Segment after segment of the steps, which torch runs again in a backward pass."""
    run = _on_rows(given)
    outputs: list[Tensor] = []
    states = list(run.initial)
    where = run.counts, run.steps, run.batch, run.reverse
    segments = divide(*where, run.segment)
    rows = cut(segments, *run.inputs.values())
    for segment, own in zip(segments, rows, strict=True):
        part = run._replace(
            inputs=dict(zip(run.inputs, own, strict=True)),
            initial=states,
            steps=segment.steps,
            counts=segment.counts,
            segment=0,
            first=segment.first,
        )
        output, states = checkpoint(RUNNERS[run.backend], part, use_reentrant=False)
        outputs.append(output)
    if run.reverse:
        outputs.reverse()
    return _formed(torch.cat(outputs), given.inputs["x"]), states


def _reference(given: Run) -> Result:
    run = _on_rows(given)
    counts, alive = _living(run)
    output, finals = reference.run_layer(
        run.graph,
        {name: value[:alive] for name, value in run.inputs.items()},
        run.initial,
        run.parameters,
        Rows(counts),
        run.reverse,
        run.key,
        run.first,
    )
    if not alive:
        finals = [start.clone() for start in finals]
    return _formed(output, given.inputs["x"]), finals


def _cudnn(given: Run) -> Result:
    """One of torch's own cells, through the operation that torch.nn calls."""
    run = _on_rows(given)
    operation: Callable[..., tuple[Tensor, ...]] = getattr(torch._VF, run.operation)
    weights = list(run.parameters.values())
    # Settings of torch's operations: biases, layers, dropout, training, directions.
    # A backward pass needs the training mode, which without dropout changes nothing.
    settings = (weights, len(weights) == 4, 1, 0.0, torch.is_grad_enabled(), False)
    counts, alive = _living(run)
    present = counts[0] if counts else 0
    if not alive:
        x = given.inputs["x"]
        nothing = x.new_zeros((*x.shape[:-1], run.graph.output_size))
        return nothing, [start.clone() for start in run.initial]
    states = [state[:present].unsqueeze(0).contiguous() for state in run.initial]
    state = tuple(states) if len(states) > 1 else states[0]
    x = run.inputs["x"][:alive]
    if run.counts is None:
        x = x.view(run.steps, run.batch, x.shape[1])
        x = x.flip(0) if run.reverse else x
        output, *finals = operation(x, state, *settings, False)
        output = output.flip(0) if run.reverse else output
        output = output.reshape(alive, output.shape[2])
    else:
        filled = run.counts[run.counts > 0]
        output, *finals = operation(x, filled, state, *settings)
    ends = [
        torch.cat([final[0], start[present:]])
        for final, start in zip(finals, run.initial, strict=True)
    ]
    return _formed(output, given.inputs["x"]), ends


@torch.no_grad()
def flatten(weights: list[Tensor], operation: str, graph: StepGraph) -> None:
    """Make one layer's weights neighbours in memory, where cuDNN can use it."""
    first = weights[0]
    if not first.is_cuda or not torch.backends.cudnn.is_acceptable(first):
        return
    alike = len({(weight.dtype, weight.device) for weight in weights}) == 1
    apart = len({weight.data_ptr() for weight in weights}) == len(weights)
    if not alike or not apart or not torch._use_cudnn_rnn_flatten_weight():
        return
    from torch.backends.cudnn import rnn

    torch._cudnn_rnn_flatten_weight(
        weights,
        len(weights),
        graph.input_size,
        rnn.get_cudnn_mode(operation.upper()),
        graph.hidden_size,
        0,  # no projection
        1,  # one layer
        False,  # time first
        False,  # one direction
    )


def _llvm(run: Run) -> Result:
    """Machine code; a backward pass is planned where one may follow."""
    names = ["x", *(declared.name for declared in run.graph.inputs)]
    inputs = [run.inputs[name] for name in names]
    parameters = list(run.parameters.values())
    training, wanted = torch.is_grad_enabled(), ""
    if training and torch._C._are_functorch_transforms_active():
        # What an outer transform differentiates does not show inside an inner one.
        wanted = " ".join(names)
    elif training:
        differentiated = *inputs, *run.initial, *parameters
        training = any(tensor.requires_grad for tensor in differentiated)
        wanted = " ".join(name for name in names if run.inputs[name].requires_grad)
    if run.key is not None:
        parameters.append(run.key)
    where = run.counts, run.steps, run.batch, run.reverse
    output, finals = operators.run(
        text_of(run.graph),
        training,
        wanted,
        inputs,
        run.initial,
        parameters,
        Where(*where, run.segment if training else 0, run.bfloat16),
    )
    return output, list(finals)


RUNNERS: dict[str, Callable[[Run], Result]] = {
    "llvm": _llvm,
    "reference": _reference,
    "cudnn": _cudnn,
}
