"""A stack of recurrent layers: its parameters, and rows through all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from throughtime.errors import BackendCannotServe
from throughtime.graph import StepGraph
from throughtime.graph.names import start_name
from throughtime.graph.random_values import is_random
from throughtime.graph.resetting import RESETS
from throughtime.graph.zeros import tell_layers, zero_values
from throughtime.nn import beginning_anew
from throughtime.nn.checkpointing import Checkpoint, Spacing
from throughtime.nn.choice import Choice, check_backend, choose, plain_operation
from throughtime.nn.execution import flatten, run_layer
from throughtime.nn.initialisation import check_initialisation, draw
from throughtime.nn.packing import Packing
from throughtime.nn.permuting import taken
from throughtime.nn.precision import own_precision
from throughtime.nn.recording import Recorder
from throughtime.nn.settings import (
    check_dtype,
    check_flag,
    check_stack,
    checked_dropout,
    checked_graphs,
    checked_residual,
)
from throughtime.nn.sparse_inputs import SparseInputs
from throughtime.nn.states import state_class
from throughtime.nn.variants import Variants

if TYPE_CHECKING:
    from throughtime.nn.watching import WatchedCall, Watching

KEYS = (-(2**63), 2**63 - 1)  # the range that keys are drawn from
Device = torch.device | str | int | None
Values = dict[tuple[int, int, str], Tensor]
"""By layer, direction and name: the rows of a value."""


class Layers(SparseInputs):
    """Layers and directions of step graphs, run on rows.

    Parameters
    ----------
    graphs
        One step graph per layer.
    batch_first
        Whether sequences are given as ``(B, T, F)``.
    dropout
        Probability that a value between two layers is zeroed in training.
    bidirectional
        Whether every layer also runs from the last step to the first.
    residual
        Whether each layer but the first adds what it reads to its output.
    sparse_input
        As in `Recurrent`.
    backend
        ``"auto"`` or the name of the backend that has to serve.
    checkpoint
        As in `Recurrent`.
    device, dtype
        Of the parameters, as in `torch.nn`.
    """

    watching: "Watching | None" = None
    """Who watches backward passes, see `watch`."""
    recorder: Recorder | None = None  # keeps steps and errors, to run them again

    def __init__(
        self,
        graphs: Sequence[StepGraph],
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        residual: bool = False,
        sparse_input: bool = False,
        backend: str = "auto",
        checkpoint: Checkpoint = None,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_flag("batch_first", batch_first)
        check_flag("bidirectional", bidirectional)
        check_flag("sparse_input", sparse_input)
        check_dtype(dtype)
        self.bidirectional = bidirectional
        self.graphs = checked_graphs(graphs)
        if not residual:
            self.graphs = tell_layers(self.graphs)
        self.input_size = self.graphs[0].input_size
        # What runs: the first of them may read products of x instead of x.
        self.running = self._divide(self.graphs) if sparse_input else self.graphs
        self.input_sizes = {"x": self._width_of_x(self.directions)}
        self.input_sizes |= {one.name: one.size for one in self.graphs[0].inputs}
        self.state_names = tuple(state.name for state in self.graphs[0].states)
        self.hidden_size = self.graphs[0].hidden_size
        self.num_layers = len(self.graphs)
        self.batch_first = batch_first
        self.dropout = checked_dropout(dropout, self.num_layers)
        self.backend = check_backend(backend)
        self.checkpoint = checkpoint
        self.spacing = Spacing(checkpoint, self.running, self.directions)
        check_stack(self.graphs, self.directions)
        self.residual = checked_residual(residual, self.graphs, self.directions)
        self.state_class = state_class(self.state_names)
        self.learns_starts = any(state.learned for state in self.graphs[0].states)
        self._derive_graphs()
        # By layer, direction and name in the running graph: the name in the module.
        self._names: dict[tuple[int, int], dict[str, str]] = {}
        self._register_parameters(device, dtype)
        self.flatten_parameters()
        self.reset_parameters()

    def _derive_graphs(self) -> None:
        operations = {plain_operation(graph) for graph in self.running}
        self._operation = operations.pop() if len(operations) == 1 else ""
        self._draws = tuple(is_random(graph) for *_, graph in self._runs())
        self.random = any(self._draws)
        self.variants = Variants(self.running)

    def _register_parameters(self, device: Device, dtype: torch.dtype | None) -> None:
        for layer, direction, graph in self._runs():
            names: dict[str, str] = {}
            self._names[layer, direction] = names
            for declared in graph.parameters:
                check_initialisation(declared, graph.cell)
                name = self._parameter_name(declared.name, layer, direction)
                looked_up = self._looks_up(layer, declared.name)
                shape = declared.shape[::-1] if looked_up else declared.shape
                if looked_up:
                    self._tables.append(name)
                else:
                    names[declared.name] = name
                empty = torch.empty(shape, device=device, dtype=dtype)
                self.register_parameter(name, nn.Parameter(empty))
            for state in graph.states:
                if state.learned:
                    empty = torch.empty(state.size, device=device, dtype=dtype)
                    name = self._start_name(state.name, layer, direction)
                    self.register_parameter(name, nn.Parameter(empty))

    @property
    def directions(self) -> int:
        """D: 2 if the module is bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def leaves_zeros(self) -> bool:
        """Whether the output is exactly 0 in many units, as a ReLU leaves it."""
        last, added = self.graphs[-1], self.residual and self.num_layers > 1
        return not added and last.output in zero_values(last)

    def reset_parameters(self) -> None:
        """Draw all parameters anew, in order, from torch's generator."""
        for layer, direction, graph in self._runs():
            parameters = self._weights_of(layer, direction)
            for declaration in graph.parameters:
                draw(parameters[declaration.name], declaration, self.hidden_size)
            for state in graph.states:
                if state.learned:
                    name = self._start_name(state.name, layer, direction)
                    nn.init.zeros_(self.get_parameter(name))

    def weights(self) -> Iterator[tuple[StepGraph, dict[str, Tensor]]]:
        """Each layer's and direction's graph, with its parameters by their names."""
        for layer, direction, graph in self._runs():
            yield graph, self._weights_of(layer, direction)

    def choice(self, dtype: torch.dtype, device: torch.device) -> Choice:
        """Which backend serves for such numbers there, and why."""
        return choose(self.backend, self.graphs, self._operation, dtype, device)

    def flatten_parameters(self) -> None:
        """Lay each layer's parameters out as cuDNN wants them; elsewhere do nothing."""
        if not self._operation:
            return
        for layer, direction, graph in self._runs():
            weights = list(self._parameters_of(layer, direction).values())
            flatten(weights, self._operation, graph)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self

    def _runs(self) -> Iterator[tuple[int, int, StepGraph]]:
        for layer, graph in enumerate(self.graphs):
            for direction in range(self.directions):
                yield layer, direction, graph

    def _parameter_name(self, name: str, layer: int, direction: int) -> str:
        return f"{name}_l{layer}{'_reverse' if direction else ''}"

    def _weights_of(self, layer: int, direction: int) -> dict[str, Tensor]:
        found = self._parameters_of(layer, direction)
        return found if layer else {**found, **self.matrices(direction)}

    def _parameters_of(
        self, layer: int, direction: int, *, starts: bool = False
    ) -> dict[str, Tensor]:
        """By their names in the graph; with ``starts`` those that are learned, too."""
        # By name at each call: they may be replaced, or computed from others.
        known: dict[str, Any] = self._parameters
        names = self._names[layer, direction]
        if starts:
            states, run = self.graphs[layer].states, (layer, direction)
            learned = [start_name(state.name) for state in states if state.learned]
            names = names | {one: self._parameter_name(one, *run) for one in learned}
        return {
            name: known[own] if own in known else getattr(self, own)
            for name, own in names.items()
        }

    def draw_keys(self, device: torch.device) -> tuple[Tensor | None, ...] | None:
        """A key ``(1,)`` for each layer and direction that draws something in a call.

        They come from torch's default generator on the CPU, whatever the device: a
        seed gives the same masks everywhere.
        """
        if not (self.random and self.training):
            return None
        keys = torch.randint(*KEYS, (len(self._draws),), dtype=torch.int64)
        each = zip(keys.to(device).split(1), self._draws, strict=True)
        return tuple(key if draws else None for key, draws in each)

    def _start_name(self, state: str, layer: int, direction: int) -> str:
        return self._parameter_name(start_name(state), layer, direction)

    def own_starts(self, like: Tensor) -> list[Tensor]:
        """Where the cell's states begin, ``(L·D, 1, n)`` each."""
        return [
            torch.stack([self._own_start(number, *run, like) for run in self._runs()])
            for number in range(len(self.state_names))
        ]

    def _own_start(
        self, number: int, layer: int, direction: int, graph: StepGraph, like: Tensor
    ) -> Tensor:
        state = graph.states[number]
        if not state.learned:
            return like.new_full((1, state.size), state.number)
        start: Tensor = getattr(self, self._start_name(state.name, layer, direction))
        return start.unsqueeze(0)

    def like(self, value: Tensor) -> Tensor:
        """A parameter, whose dtype and device inputs share; else the value itself."""
        for own in self._parameters.values():
            if own is not None:
                return own
        return next(self.parameters(), value)

    def run_rows(
        self,
        inputs: Mapping[str, Tensor],
        states: Sequence[Tensor],
        steps: int,
        batch: int,
        packing: Packing | None = None,
        values: Values | None = None,
        outputs: list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Rows ``(N, F)`` through all layers: rows ``(N, D·H)`` and final states.

        Rows may also be ``(T, B, F)``, and then are so behind. States are
        ``(L·D, B, n)``, or none for those of the declarations; with a packing, rows
        and states are in its order. Rows of all named values are put into ``values``,
        what the cells of each layer give into ``outputs``.
        """
        x = inputs["x"]
        choice = self.choice(x.dtype, x.device)
        call = self._watched_call(steps, batch, packing)
        if not (values is None and call is None and self.recorder is None):
            named = self.variants.exposed
            shown = self.graphs if values is None else [one.graph for one in named]
            choice = choose(self.backend, shown, "", x.dtype, x.device)
        extent = steps, batch, packing, self._segment(choice, x, steps, batch)
        with own_precision(x.device):
            return self._run_rows(inputs, states, extent, choice, values, outputs, call)

    def _watched_call(
        self, steps: int, batch: int, packing: Packing | None
    ) -> "WatchedCall | None":
        """What takes in the reports of a call's backward pass, if anyone watches."""
        if self.watching is None or not torch.is_grad_enabled():
            return None
        return self.watching.call(steps, batch, packing)

    def _segment(self, choice: Choice, x: Tensor, steps: int, batch: int) -> int:
        """Steps between two stored states; 0: what every step needs is stored."""
        if not torch.is_grad_enabled():
            return 0
        if self.spacing.budget and choice.backend != "llvm":
            raise BackendCannotServe(
                backend=choice.backend,
                cell=self.graphs[0].cell,
                dtype=x.dtype,
                device=x.device,
                reason=f"checkpoint={self.checkpoint!r} needs to know what a step "
                "stores, which is known of compiled layers alone",
            )
        return self.spacing.length(steps, batch, x.dtype.itemsize)

    def _run_rows(
        self,
        inputs: Mapping[str, Tensor],
        states: Sequence[Tensor],
        extent: tuple[int, int, Packing | None, int],
        choice: Choice,
        values: Values | None,
        outputs: list[Tensor] | None,
        call: "WatchedCall | None",
    ) -> tuple[Tensor, list[Tensor]]:
        value = inputs["x"]
        keys = self.draw_keys(value.device)
        finals: list[list[Tensor]] = [[] for _ in self.state_names]
        for layer in range(self.num_layers):
            below = value
            if layer and self.dropout:
                value = functional.dropout(value, self.dropout, self.training)
            ways: list[Tensor] = []
            for direction in range(self.directions):
                run = layer * self.directions + direction
                output, ends = self._direction(
                    layer,
                    direction,
                    {**inputs, "x": value},
                    [state[run] for state in states],
                    extent,
                    choice,
                    values,
                    None if keys is None else keys[run],
                    call,
                )
                ways.append(output)
                for final, end in zip(finals, ends, strict=True):
                    final.append(end)
            value = torch.cat(ways, -1) if self.bidirectional else ways[0]
            if outputs is not None:
                outputs.append(value)
            if layer and self.residual:
                value = value + below
        return value, [f[0][None] if len(f) == 1 else torch.stack(f) for f in finals]

    def _direction(
        self,
        layer: int,
        direction: int,
        inputs: Mapping[str, Tensor],
        initial: Sequence[Tensor],
        extent: tuple[int, int, Packing | None, int],
        choice: Choice,
        values: Values | None,
        key: Tensor | None,
        call: "WatchedCall | None",
    ) -> tuple[Tensor, list[Tensor]]:
        steps, batch, packing, segment = extent
        # Packed sequences end at different steps: each is mirrored by itself.
        mirror = packing.mirror if packing is not None and direction else None
        if not layer:
            inputs = self.of_direction(direction, inputs)
        inputs = beginning_anew.of_direction(direction, inputs)
        if mirror is not None:
            inputs = {n: taken(own, mirror) for n, own in inputs.items()}
        anew, draws = RESETS in inputs, key is not None
        graph = self.variants.graph(layer, draws=draws, anew=anew)
        shown = self.variants.shown(layer, draws=draws)
        graph = graph if values is None else shown.graph
        if call is not None:
            graph, inputs = call.watch(layer, direction, graph, inputs)
        run = run_layer if self.recorder is None else self.recorder.runner(packing)
        output, finals = run(
            graph,
            inputs,
            initial,
            self._parameters_of(layer, direction, starts=anew),
            steps=steps,
            batch=batch,
            counts=None if packing is None else packing.counts,
            reverse=direction == 1 and mirror is None,
            backend=choice.backend,
            operation=choice.operation,
            segment=segment,
            bfloat16=choice.bfloat16,
            key=key,
        )
        if mirror is not None:
            output = taken(output, mirror)
        if values is not None:
            for name, start, stop in shown.spans:
                values[layer, direction, name] = output[..., start:stop]
            output = output[..., : self.graphs[layer].output_size]
        return output, finals
