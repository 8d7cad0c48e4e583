"""A stack of recurrent layers: its parameters, and rows through all of them."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from throughtime.errors import BadSetting
from throughtime.graph import Cell, StepGraph, trace
from throughtime.nn.execution import run_layer
from throughtime.nn.initialisation import check_initialisation, draw


def trace_layers(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    bias: bool,
    bidirectional: bool,
) -> tuple[StepGraph, ...]:
    """The graph of every layer; layers of the same input size share theirs."""
    check_size("input_size", input_size)
    check_size("hidden_size", hidden_size)
    check_size("num_layers", num_layers)
    known: dict[int, StepGraph] = {}
    graphs: list[StepGraph] = []
    size = input_size
    for _ in range(num_layers):
        if size not in known:
            known[size] = trace(cell, size, hidden_size, bias=bias)
        graphs.append(known[size])
        size = graphs[-1].output_size * (2 if bidirectional else 1)
    return tuple(graphs)


def check_size(argument: str, value: object) -> None:
    """Refuse what is no whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadSetting(
            argument=argument,
            given=repr(value),
            expected="a whole number of at least 1",
            advice=f"give a larger {argument}" if value == 0 else "give such a number",
        )


class Layers(nn.Module):
    """Layers and directions of step graphs, run on rows.

    Parameters
    ----------
    graphs
        One step graph per layer.
    bidirectional
        Whether every layer also runs from the last step to the first.
    dropout
        Probability that a value between two layers is zeroed in training.
    backend
        ``"auto"`` or the name of the backend that has to serve.
    device, dtype
        Of the parameters, as in `torch.nn`.
    """

    def __init__(
        self,
        graphs: Sequence[StepGraph],
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        backend: str = "auto",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.graphs = tuple(graphs)
        self.num_layers = len(self.graphs)
        self.bidirectional = bidirectional
        self.dropout = _checked_dropout(dropout, self.num_layers)
        self.backend = backend
        self.input_size = self.graphs[0].input_size
        self.hidden_size = self.graphs[0].hidden_size
        for layer, direction, graph in self._runs():
            for declaration in graph.parameters:
                check_initialisation(declaration, graph.cell)
                empty = torch.empty(declaration.shape, device=device, dtype=dtype)
                name = self._parameter_name(declaration.name, layer, direction)
                self.register_parameter(name, nn.Parameter(empty))
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """D: 2 if the module is bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw all parameters anew, in order, from torch's generator."""
        for layer, direction, graph in self._runs():
            parameters = self._parameters_of(graph, layer, direction)
            for declaration in graph.parameters:
                draw(parameters[declaration.name], declaration, self.hidden_size)

    def _runs(self) -> Iterator[tuple[int, int, StepGraph]]:
        for layer, graph in enumerate(self.graphs):
            for direction in range(self.directions):
                yield layer, direction, graph

    def _parameter_name(self, name: str, layer: int, direction: int) -> str:
        return f"{name}_l{layer}{'_reverse' if direction else ''}"

    def _parameters_of(
        self, graph: StepGraph, layer: int, direction: int
    ) -> dict[str, Tensor]:
        return {
            declaration.name: getattr(
                self, self._parameter_name(declaration.name, layer, direction)
            )
            for declaration in graph.parameters
        }

    def _first_states(self, batch: int, like: Tensor) -> list[Tensor]:
        """Where the cell starts: a tensor ``(L·D, B, n)`` per state."""
        shape = (self.num_layers * self.directions, batch)
        return [
            like.new_full((*shape, state.size), state.init)
            for state in self.graphs[0].states
        ]

    def _run(
        self,
        inputs: Mapping[str, Tensor],
        states: Sequence[Tensor],
        steps: int,
        batch: int,
    ) -> tuple[Tensor, list[Tensor]]:
        """Rows ``(N, F)`` through all layers: rows ``(N, D·H)`` and final states."""
        value = inputs["x"]
        finals: list[list[Tensor]] = [[] for _ in states]
        for layer, graph in enumerate(self.graphs):
            if layer:
                value = functional.dropout(value, self.dropout, self.training)
            outputs: list[Tensor] = []
            for direction in range(self.directions):
                run = layer * self.directions + direction
                output, ends = run_layer(
                    graph,
                    {**inputs, "x": value},
                    [state[run] for state in states],
                    self._parameters_of(graph, layer, direction),
                    steps=steps,
                    batch=batch,
                    counts=None,
                    reverse=direction == 1,
                    backend=self.backend,
                )
                outputs.append(output)
                for final, end in zip(finals, ends, strict=True):
                    final.append(end)
            value = torch.cat(outputs, -1) if self.bidirectional else outputs[0]
        return value, [torch.stack(final) for final in finals]


def _checked_dropout(dropout: float, num_layers: int) -> float:
    is_number = isinstance(dropout, (int, float)) and not isinstance(dropout, bool)
    if not is_number or not 0 <= dropout <= 1 or math.isnan(dropout):
        raise BadSetting(
            argument="dropout",
            given=repr(dropout),
            expected="a number from 0 to 1",
            advice="it is the probability that a value between two layers is zeroed",
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} acts between layers, so it does nothing with "
            "num_layers=1: give more layers or dropout=0.",
            stacklevel=4,
        )
    return float(dropout)
