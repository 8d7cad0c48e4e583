"""Other ways for recurrent weights and gates to start than a cell declares."""

import torch
from torch import Tensor, nn

from throughtime.cells.gates import BIASES, GATES, ForgetGate, forget_gate
from throughtime.errors import (
    NotGated,
    NothingToStart,
    NumberOutOfRange,
    Pointless,
    UnknownChoice,
)
from throughtime.errors.base import did_you_mean
from throughtime.graph import Cell, StepGraph, trace
from throughtime.graph.recurrences import recurrent_matrices
from throughtime.nn.layers import Layers

WAYS = ("default", "orthogonal", "identity", "chrono")
# Of what reads the input: small, so that units of a ReLU add up for long.
_STD_OF_IRNN = 0.001


@torch.no_grad()
def initialise(
    module: Layers,
    init: str = "default",
    *,
    forget_bias: float | None = None,
    steps: int | None = None,
    cell: Cell | None = None,
) -> None:
    """Start the weights of a module anew in some way, in all layers and directions.

    What is drawn comes from torch's generator; what is not named stays as it is.

    Parameters
    ----------
    module
        A `Recurrent`, or one of `torch.nn`'s kinds from `throughtime.nn`.
    init
        ``"default"``: nothing is changed. ``"orthogonal"``: each gate's block of the
        matrices that multiply a state is drawn orthogonal, with heads each head's
        (Saxe, McClelland & Ganguli, arXiv:1312.6120).
        ``"identity"``: each of these blocks is the identity, all biases are 0, and all
        other matrices are drawn from N(0, 0.001²) (Le, Jaitly & Hinton,
        arXiv:1504.00941: with ReLU, an IRNN). ``"chrono"``:
        biases of the gates are drawn so that memories last from 1 to ``steps`` steps,
        ``log U(1, steps - 1)`` for what is kept, and its negative for what is taken in,
        if that has a gate of its own (Tallec & Ollivier, arXiv:1804.11188).
    forget_bias
        The bias with which what is kept, ``σ(bias + …)`` of the state, starts; None: as
        it is. Not with ``"chrono"``, which draws it.
    steps
        Of ``"chrono"``: the longest memory, at least 2.
    cell
        What the module was built of; ``"chrono"`` and ``forget_bias`` need it. One of
        the built-in gated cells, regularised or not.

    Raises
    ------
    UnknownChoice, NumberOutOfRange
        Something is not possible.
    NotGated
        It is not known which gate of the cell forgets.
    NothingToStart, Pointless
        The module has no such matrices or biases, or both would set the same ones.
    """
    if init not in WAYS:
        known, hint = ", ".join(map(repr, WAYS)), did_you_mean(str(init), WAYS)
        raise UnknownChoice(argument="init", given=init, hint=hint, known=known)
    chrono = init == "chrono"
    if init in {"orthogonal", "identity"}:
        _start_matrices(module, init)
    if not chrono and forget_bias is None:
        return
    argument, given = ("init", init) if chrono else ("forget_bias", forget_bias)
    gate = _gate(module, cell, argument, given)
    if not chrono:
        _start_gate(module, gate, float(forget_bias or 0.0))
        return
    if forget_bias is not None:
        raise Pointless(
            argument="forget_bias",
            given=forget_bias,
            expected="None",
            reason="init='chrono', which draws these biases",
        )
    if steps is None or steps < 2:
        expected = "a whole number of at least 2"
        raise NumberOutOfRange(argument="steps", given=steps, expected=expected)
    _start_gate(module, gate, None, steps)


def _start_matrices(module: Layers, init: str) -> None:
    for graph, weights in module.weights():
        names = recurrent_matrices(graph)
        if not names:
            reason = "where no matrix multiplies a state on its way to a new one"
            raise NothingToStart(
                argument="init", given=init, cell=graph.cell, reason=reason
            )
        # In declared order, so that a seed means the same.
        for declared in graph.parameters:
            weight = weights[declared.name]
            if declared.name in names:
                for block in _blocks(graph, weight):
                    start = nn.init.eye_ if init == "identity" else nn.init.orthogonal_
                    block.copy_(start(torch.empty_like(block)))
            elif init == "identity" and declared.role == "bias":
                nn.init.zeros_(weight)
            elif init == "identity" and weight.dim() == 2:
                nn.init.normal_(weight, std=_STD_OF_IRNN)


def _blocks(graph: StepGraph, weight: Tensor) -> tuple[Tensor, ...]:
    """The rows of each gate and head."""
    rows, units = len(weight), graph.hidden_size
    gate = rows if rows % units else units
    return weight.split(gate // graph.heads)


def _gate(
    module: Layers, cell: Cell | None, argument: str, given: object
) -> ForgetGate:
    """The gate that forgets, if the module is of this cell."""
    gate = None if cell is None else forget_gate(cell)
    if cell is None or gate is None:
        raise NotGated(
            argument=argument,
            given=given,
            cell=_name(module) if cell is None else type(cell).__name__,
            known=", ".join(kind.__name__ for kind in GATES),
        )
    graph = module.graphs[0]
    traced = trace(cell, graph.input_size, graph.hidden_size)
    declared = {one.name for one in graph.parameters}
    if traced.cell != graph.cell or not declared.issuperset(BIASES):
        reason = f"which is not {traced.cell}, or has no biases"
        raise NothingToStart(
            argument=argument, given=given, cell=graph.cell, reason=reason
        )
    return gate


def _start_gate(
    module: Layers, gate: ForgetGate, bias: float | None, steps: int = 2
) -> None:
    """Let the biases of the gate add up to a number, or to what chrono draws."""
    for graph, weights in module.weights():
        first, second = (weights[name].split(graph.hidden_size) for name in BIASES)
        kept = torch.empty_like(first[gate.block])
        if bias is None:
            kept.uniform_(1, steps - 1).log_()
            if gate.input is not None:
                first[gate.input].copy_(-kept)
                second[gate.input].zero_()
        else:
            kept.fill_(bias)
        first[gate.block].copy_(gate.sign * kept)
        second[gate.block].zero_()


def _name(module: Layers) -> str:
    return module.graphs[0].cell
