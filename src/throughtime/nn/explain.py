"""What a cell or a module computes, in words and signs: `explain`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from throughtime.backends.llvm.options import Options
from throughtime.backends.llvm.overlay import overlay
from throughtime.errors import (
    BadExtent,
    NoParameters,
    NoRecurrentModule,
    NotExplainable,
    ShapeMismatch,
)
from throughtime.graph import Cell, StepGraph, refuse_unused, trace
from throughtime.graph.expressions import SizeText
from throughtime.graph.plan import plan
from throughtime.graph.random_values import is_random
from throughtime.graph.show import Equations, equations
from throughtime.graph.show_plan import PlanText, plan_text
from throughtime.graph.size_names import HIDDEN_STAND_IN, INPUT_STAND_IN, size_letters
from throughtime.nn.choice import Choice, choose, plain_operation
from throughtime.nn.compiled.ways import FEW_SEQUENCES, hoists
from throughtime.nn.explain_threads import parts_text, thread_lines
from throughtime.nn.finding import recurrent_module
from throughtime.nn.layers import Layers
from throughtime.nn.node_deltas import Deltas, node_deltas
from throughtime.nn.sequences import Lengths, Sequences
from throughtime.nn.sparse_sequences import SparseSequences
from throughtime.nn.zeros import Zeros, zero_names, zero_shares


@dataclass(frozen=True)
class Explanation:
    """What `explain` found; print it to read it."""

    title: str
    graphs: tuple[StepGraph, ...]
    """One per layer, of a cell alone the one graph of a layer: as traced, or of a
    module in evaluation mode with everything random at its mean."""
    choice: Choice
    """The backend that serves, and why."""
    dtype: torch.dtype
    size_text: SizeText = str
    module: Layers | None = None
    time: int | None = None
    batch: int | None = None

    def __str__(self) -> str:
        lines = [self.title, *self._mode(), *self._lookup(), *self._layers()]
        return "\n".join([*lines, *self._plan(), *self._backend()])

    __repr__ = __str__

    def equations(self, layer: int = 0) -> Equations:
        """Equations, δ equations and gradients of a layer, line by line."""
        return equations(self.graphs[layer], self.size_text)

    def plan(self, layer: int = 0) -> PlanText:
        """What of a layer leaves the loop and what is stored, in training.

        For so many sequences as ``batch`` says; without it as for a few.
        """
        return self._planned(layer, hoist=self.batch is None or hoists(self.batch))

    def blocks(self, layer: int = 0) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What of a layer runs where, and what is stored: titles, lines below."""
        graph, found = self.graphs[layer], self.plan(layer)
        at_once = "over all steps at once"
        before, inside = list(found.before), list(found.inside)
        first = f"Before the loop, {at_once}"
        if not graph.states:
            first = f"Without a loop, {at_once}"
        elif self._planned(layer, hoist=True).before:
            if self.batch is None:
                first = (
                    f"Before the loop, {at_once}, if B < {FEW_SEQUENCES}; "
                    "else at each step"
                )
            (before or inside).append(self._reason())
        ends = list(found.gradients)
        if graph.parameters:
            ends.append(
                "gradients of weights: each one sum over all rows" + self._rows(graph)
            )
        after = "behind the loop, " if graph.states else ""
        blocks = (
            (first, before),
            ("At each step", inside),
            (f"Behind the loop, {at_once}", found.behind),
            ("Backward, in the loop, with what it has at hand", found.summed),
            (f"Backward, {after}{at_once}", ends),
            ("Stored for the backward pass, per step and sequence", found.stored),
            ("Exactly 0 in many units", self._zeros(graph)),
        )
        return tuple((title, tuple(lines)) for title, lines in blocks if lines)

    def _zeros(self, graph: StepGraph) -> list[str]:
        """Which values are, and what products make of it."""
        names = zero_names(graph)
        if not names:
            return []
        share = 1 - Options().most_by_pattern
        return [
            ", ".join(names),
            "  (products with them, and with their δ, leave zeros out where at least "
            f"{share:.0%} are, in narrow layers more, for one sequence fewer: they are "
            "counted while it runs)",
        ]

    def _planned(self, layer: int, *, hoist: bool) -> PlanText:
        graph = self.graphs[layer]
        inputs = ["x", *(item.name for item in graph.inputs)]
        made = plan(graph, training=True, input_gradients=inputs, hoist=hoist)
        compiled = self.choice.backend == "llvm"
        overlaid = compiled and overlay(made) is not None
        return plan_text(graph, made, self.size_text, overlaid=overlaid)

    def _reason(self) -> str:
        """Why products that need no state are where they are."""
        few = "too few rows to read the weights for at each step"
        if self.batch is None:
            return f"  ({few})"
        if hoists(self.batch):
            return f"  (B = {self.batch} is less than {FEW_SEQUENCES}: {few})"
        return (
            f"  (B = {self.batch} is {FEW_SEQUENCES} or more: what needs no state is "
            "computed where it is used)"
        )

    def _rows(self, graph: StepGraph) -> str:
        if self.time is None or self.batch is None:
            return ""
        extent = self.time, self.batch
        whole = self.module is None or self.module.checkpoint is not None
        parts = "" if whole else parts_text(graph, *extent, self.dtype.itemsize)
        return f", T·B = {self.time * self.batch}{parts}"

    def deltas(
        self,
        input: Sequences | SparseSequences,
        grad_output: Tensor,
        state: Tensor | Sequence[Tensor] | None = None,
        *,
        lengths: Lengths | None = None,
        resets: Tensor | None = None,
        **inputs: Sequences,
    ) -> Deltas:
        """δ = ∂L/∂(incoming activation) of every node with a name.

        The adjoint graph computes it, in the dtype of the input. The incoming
        activation of a function of one argument is its argument; any other node
        is its own. Dropout between layers is left out.

        Parameters
        ----------
        input, state, lengths, resets, **inputs
            As in a call of the module.
        grad_output
            ∂L/∂output, shaped like the output. No error comes from the final state.

        Returns
        -------
        deltas
            ``(layer, direction, name) -> (T, B, n)``. An activation without a name
            is ``tanh#1``: the first of its function in the order of the graph.
        """
        if self.module is None:
            raise NoParameters(cell=self.graphs[0].cell)
        return node_deltas(
            self.module,
            input,
            grad_output,
            state,
            lengths=lengths,
            resets=resets,
            **inputs,
        )

    def zeros(
        self,
        input: Sequences,
        state: Tensor | Sequence[Tensor] | None = None,
        *,
        lengths: Lengths | None = None,
        resets: Tensor | None = None,
        **inputs: Sequences,
    ) -> Zeros:
        """Share of the units that are exactly 0, at each step of a call.

        Parameters
        ----------
        input, state, lengths, resets, **inputs
            As in a call of the module.

        Returns
        -------
        zeros
            ``(layer, direction, name) -> (T,)`` for every value with a name that a
            function such as ReLU ends; NaN at steps that no sequence has.
        """
        if self.module is None:
            raise NoParameters(cell=self.graphs[0].cell)
        return zero_shares(
            self.module, input, state, lengths=lengths, resets=resets, **inputs
        )

    def _mode(self) -> Iterator[str]:
        """Which of two modes is shown, where they differ."""
        if any(map(is_random, self.graphs)):
            yield "In training: masks and noise are drawn; evaluation takes their means"
        elif self.module is not None and self.module.random:
            yield "In evaluation: masks and noise are at their means"

    def _lookup(self) -> Iterator[str]:
        """What stands for x where features are looked up."""
        if self.module is not None and self.module.products is not None:
            matrices = self.module.products.matrices
            sums = ", ".join(f"{name} @ x" for name in matrices)
            yield f"Layer 0 reads {sums} as its x: rows of the features that a step "
            yield "names, looked up and added before; only these rows have a gradient"

    def _layers(self) -> Iterator[str]:
        shown: list[Equations] = []
        for layer in range(len(self.graphs)):
            lines = self.equations(layer)
            if lines in shown:
                continue
            shown.append(lines)
            suffix = f" of layer {layer}" if len(shown) > 1 else ""
            yield from _block(f"Equations{suffix}", (*lines.forward, *lines.starts))
            yield from _block(
                f"δ equations{suffix}: δv_t is ∂L/∂(what the function takes) where v_t "
                "is σ, tanh or another function of one value, else ∂L/∂v_t; "
                "0 behind the last step",
                lines.deltas,
            )
            yield from ("    " + note for note in lines.notes)
            yield from _block(f"Gradients{suffix}", lines.gradients)

    def _plan(self) -> Iterator[str]:
        if self.choice.backend != "llvm":
            yield ""
            yield "As the llvm backend, which does not serve here, would run it:"
        shown: list[tuple[tuple[str, tuple[str, ...]], ...]] = []
        for layer in range(len(self.graphs)):
            found = self.blocks(layer)
            if found in shown:
                continue
            shown.append(found)
            suffix = f" (layer {layer})" if len(shown) > 1 else ""
            for title, lines in found:
                yield from _block(f"{title}{suffix}", lines)
        yield from ("  " + line for line in self._memory())
        if self.choice.backend == "llvm":
            sized = self.module is not None
            lines = thread_lines(self.graphs, self.batch, sized=sized)
            yield from _block("Threads", lines)

    def _memory(self) -> Iterator[str]:
        """How much is stored, as far as sizes are known."""
        if self.time is None or self.batch is None:
            return
        count, module = self.time * self.batch, self.module
        if module is not None and module.checkpoint is not None:
            yield from self._checkpointed(module, self.time, self.batch)
            return
        numbers = sum(self.plan(layer).numbers for layer in range(len(self.graphs)))
        if self.module is None:
            amount = f"{count} · ({self.size_text(numbers)}) numbers"
        else:
            size = numbers * self.module.directions * count * self.dtype.itemsize
            amount = f"{size / 2**20:.1f} MiB of {self.dtype} in all layers"
        yield f"T = {self.time}, B = {self.batch}: {amount}"

    def _checkpointed(self, module: Layers, time: int, batch: int) -> Iterator[str]:
        """How much is stored where the rest is computed again."""
        way = f"T = {time}, B = {batch}, checkpoint={module.checkpoint!r}"
        if module.spacing.budget and self.choice.backend != "llvm":
            yield f"{way}: refused, for only compiled layers keep to a budget"
            return
        length = module.spacing.length(time, batch, self.dtype.itemsize)
        if not length:
            yield f"{way}: all of the above is stored, for it fits"
            return
        states = sum(state.size for graph in self.graphs for state in graph.states)
        stored = -(-time // length) * module.directions * states
        again = max(self.plan(layer).numbers for layer in range(len(self.graphs)))
        sizes = (
            f"{numbers * batch * self.dtype.itemsize / 2**20:.1f} MiB"
            for numbers in (stored, min(length, time) * again)
        )
        yield f"{way}: of every {length} steps only the states before them are stored,"
        yield "{} in all layers; the above of one such segment at a time, {},".format(
            *sizes
        )
        yield "is computed again in the backward pass"

    def _backend(self) -> Iterator[str]:
        yield from _block("Backend", [f"{self.choice.backend}: {self.choice.reason}"])


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", title)
        yield from ("  " + line for line in lines)


def explain(
    target: Cell | nn.Module, *, time: int | None = None, batch: int | None = None
) -> Explanation:
    """What a cell or a module computes, and how.

    Parameters
    ----------
    target
        A cell, a recurrent module such as ``Recurrent(LSTM(), 64, 128)``, or a model
        with one such module in it. A cell alone has no sizes yet; they are written H,
        the hidden size, and I, the input size. Of a module in evaluation mode, what
        that computes is shown: means where training draws masks and noise.
    time, batch
        T and B, to say which way each product goes, and how much memory what is
        stored takes.
    """
    for argument, given in (("time", time), ("batch", batch)):
        number = isinstance(given, int) and not isinstance(given, bool)
        if given is not None and (not number or given < 1):
            raise BadExtent(argument=argument, given=given)
    if isinstance(target, Cell):
        return _of_cell(target, time, batch)
    if isinstance(target, type):
        raise NotExplainable(given=f"the class {target.__name__}")
    try:
        name, module = recurrent_module("explain", target)
    except NoRecurrentModule as error:
        raise NotExplainable(given=error.facts["given"]) from None
    title = f"{type(target).__name__}.{name}: {module!r}" if name else repr(module)
    return _of_module(title, module, time, batch)


def _of_module(
    title: str, module: Layers, time: int | None, batch: int | None
) -> Explanation:
    like = next(module.parameters(), torch.empty(0))
    return Explanation(
        title=title,
        graphs=module.running if module.training else module.variants.evaluated,
        choice=module.choice(like.dtype, like.device),
        dtype=like.dtype,
        module=module,
        time=time,
        batch=batch,
    )


def _of_cell(cell: Cell, time: int | None, batch: int | None) -> Explanation:
    graph = refuse_unused(_trace_with_stand_ins(cell))
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    choice = choose("auto", (graph,), plain_operation(graph), dtype, device)
    return Explanation(
        title=repr(cell),
        graphs=(graph,),
        choice=choice,
        dtype=dtype,
        size_text=size_letters,
        time=time,
        batch=batch,
    )


def _trace_with_stand_ins(cell: Cell) -> StepGraph:
    try:
        return trace(cell, INPUT_STAND_IN, HIDDEN_STAND_IN)
    except ShapeMismatch:
        # A cell that adds x to its state has equations only where I is H.
        return trace(cell, HIDDEN_STAND_IN, HIDDEN_STAND_IN)
