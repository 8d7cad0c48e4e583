"""Compiled layers: tensors in, tensors out, pointers between.

What an operator does when it runs: allocate the buffers of a plan, say where the rows
lie, enter the machine code, and read the final states.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from throughtime.backends.llvm.options import Options, Settings
from throughtime.backends.llvm.schedule import splittable
from throughtime.backends.llvm.threads import give_up, openmp
from throughtime.errors import BackendCannotServe
from throughtime.graph import StepGraph
from throughtime.graph.plan import plan
from throughtime.graph.programs import OUTPUT, SAVED, Plan, gradient_of, multiply_adds
from throughtime.graph.serialize import from_json
from throughtime.nn.door import Door
from throughtime.nn.extents import CPU, Extent
from throughtime.nn.half import BUFFER, Half
from throughtime.nn.operands import Operands
from throughtime.nn.pool import POOL
from throughtime.nn.precision import BFLOAT16

if TYPE_CHECKING:
    from throughtime.backends.llvm.target import Target

FEW_SEQUENCES = 8
"""Below so many, products that need no state run before the loop."""
LEAST_SPLIT = 40_000
"""Multiply-adds of a step that pay for a barrier in it."""
STANDARD = Options()

_compiling = Lock()


def hoists(batch: int) -> bool:
    """Whether products that need no state leave the loop, for so many sequences.

    A step reads all of its weights. Many rows at once make up for that, and what is
    not written and read again is saved; a few rows do not.
    """
    return batch < FEW_SEQUENCES


def shares_units(batch: int, work: int) -> bool:
    """Whether threads share the units of a step of such work, not the sequences."""
    if batch >= torch.get_num_threads():
        return False
    return batch * work >= LEAST_SPLIT and give_up() is not None


def step_work(hoisted: Plan) -> int:
    """Multiply-adds of a step of a plan's loops; 0 if its units cannot be shared."""
    loops = [p for p in hoisted.forward + hoisted.backward if p.recurrent]
    if not all(map(splittable, loops)):
        return 0
    return max(map(multiply_adds, loops), default=0)


class Way(NamedTuple):
    """Which half of a plan, and how it runs; every way gives the same bits."""

    backward: bool
    hoist: bool
    split_units: bool


class Engine:
    """One step graph, planned for training or not, compiled when first run.

    Parameters
    ----------
    text
        The step graph as JSON.
    training
        Whether a backward pass may follow.
    wanted
        Names of the inputs whose gradient it has to give, with spaces between.
    dtype
        Of all tensors.
    bfloat16
        Whether products in the loop round their operands to bfloat16.
    options
        What compiled code does for the sake of speed.
    """

    def __init__(
        self,
        text: str,
        training: bool,
        wanted: str,
        dtype: torch.dtype,
        *,
        bfloat16: bool = False,
        options: Options = STANDARD,
    ) -> None:
        graph = from_json(text)
        if bfloat16:
            _check_bfloat16(graph, dtype)
        self.wanted = tuple(wanted.split())
        self.bfloat16 = bfloat16
        self.options = options
        self.kernels: dict[Way, Half] = {}
        self.plan, self.hoisted = (
            plan(graph, training=training, input_gradients=self.wanted, hoist=hoist)
            for hoist in (False, True)
        )
        self.graph = graph
        self.door = Door(graph, self.saved_width)
        self.dtype = dtype
        # Whose threads run it; None: those of a small pool of our own.
        self.library = openmp()
        self.operands = Operands(self.plan, dtype)
        sizes = {"x": graph.input_size}
        sizes |= {declared.name: declared.size for declared in graph.inputs}
        self.input_sizes = sizes
        self.widths = {
            **sizes,
            **{gradient_of(name): size for name, size in sizes.items()},
            gradient_of(OUTPUT): graph.output_size,
            **self.hoisted.widths,
        }

    def kernel(self, batch: int, *, backward: bool) -> Half:
        """The compiled half that serves so many sequences."""
        few = hoists(batch) or not self.options.project_in_loop
        way = Way(backward, not backward and few, self._splits(batch))
        if way not in self.kernels:
            with _compiling:
                if way not in self.kernels:
                    self.kernels[way] = self.compile(way)
        return self.kernels[way]

    def compile(self, way: Way, target: "Target | None" = None) -> Half:
        """Compile one way to run a half, by default for this processor."""
        # Needs llvmlite, which the other backends do without.
        from throughtime.backends.llvm.kernel import compile_half

        kernel = compile_half(
            self.hoisted if way.hoist else self.plan,
            backward=way.backward,
            widths=self.widths,
            settings=Settings(
                self.dtype.itemsize,
                bfloat16=self.bfloat16,
                split_units=way.split_units,
                options=self.options,
            ),
            target=target,
        )
        words = self._words(backward=way.backward)
        return Half(kernel, words, self.widths, self.dtype)

    def _words(self, *, backward: bool) -> list[str]:
        """Of the tensors of a call, in the order in which they are given."""
        buffers = [SAVED, OUTPUT, *self.input_sizes]
        operands, states = range(len(self.plan.operands)), range(len(self.plan.states))
        words = [f"initial {i}" for i in states] + [f"operand {i}" for i in operands]
        if backward:
            wanted = [name for name in self.input_sizes if name in self.wanted]
            buffers += map(gradient_of, (OUTPUT, *wanted))
            words += [f"carry {i}" for i in states]
            words += [f"gradient operand {i}" for i in operands]
        else:
            words += [f"carry {i}" for i in self._carried]
        return [*(BUFFER + name for name in buffers), *words]

    @cached_property
    def _carried(self) -> list[int]:
        """States that the forward loop keeps outside of all buffers."""
        return [i for i, span in enumerate(self.plan.states) if span is None]

    def _splits(self, batch: int) -> bool:
        return self.options.split_units and shares_units(batch, self._step_work)

    @cached_property
    def _step_work(self) -> int:
        return step_work(self.hoisted)

    @property
    def saved_width(self) -> int:
        """Columns of what the backward pass reads; 0 if that is the output alone."""
        return self.plan.widths.get(SAVED, 0)

    def forward(
        self,
        inputs: Sequence[Tensor],
        initial: Sequence[Tensor],
        parameters: Sequence[Tensor],
        extent: Extent,
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Output ``(N, H)``, final states ``(B, n)``, and what is saved.

        The saved rows begin with B rows for the initial states.
        """
        like, rows = inputs[0], inputs[0].shape[0]
        output = like.new_empty((rows, self.graph.output_size))
        lead = extent.batch if initial else 0
        saved = POOL.empty((lead + rows, self.saved_width), like.dtype)
        # No part of what an operator returns may be left to chance.
        _clear_behind(output, extent.alive)
        if self.saved_width:
            self._begin(saved[:lead], initial)
            _clear_behind(saved, lead + extent.alive)
        carries = {i: _two(initial[i]) for i in self._carried}
        if extent.alive:
            operands = self.operands.values(parameters)
            own = *inputs, *initial, *operands, *carries.values()
            half = self.kernel(extent.batch, backward=False)
            self._run(half, (saved, output, *own), extent)
        finals = [
            self._final(position, initial, output, saved, carries, extent)
            for position in range(len(initial))
        ]
        return output, finals, saved

    def _begin(self, first: Tensor, initial: Sequence[Tensor]) -> None:
        """Write the saved rows that hold initial states, ``(B, width)``."""
        first.zero_()
        for state, span in zip(initial, self.plan.states, strict=True):
            if span is not None and span.buffer == SAVED:
                first.narrow(1, span.start, span.size).copy_(state)

    def backward(
        self,
        inputs: Sequence[Tensor],
        initial: Sequence[Tensor],
        parameters: Sequence[Tensor],
        extent: Extent,
        output: Tensor,
        saved: Tensor,
        output_gradient: Tensor,
        final_gradients: Sequence[Tensor],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Gradients of the wanted inputs, of initial states and of parameters."""
        gradients = self._input_gradients(inputs, extent.alive)
        carries = [_two(gradient) for gradient in final_gradients]
        operands = self.operands.values(parameters)
        operand_gradients = [torch.zeros_like(operand) for operand in operands]
        if extent.alive:
            rows = saved, output, *inputs, output_gradient, *gradients
            own = *initial, *operands, *carries, *operand_gradients
            half = self.kernel(extent.batch, backward=True)
            self._run(half, (*rows, *own), extent)
        slot = (extent.steps - 1) & 1 if extent.alive else 0
        return (
            gradients,
            [carry[slot].clone() for carry in carries],
            self.operands.gradients(parameters, operand_gradients),
        )

    def _input_gradients(self, inputs: Sequence[Tensor], alive: int) -> list[Tensor]:
        """Room for the gradients of the wanted inputs, 0 where nothing is written."""
        gradients: list[Tensor] = []
        for name, value in zip(self.input_sizes, inputs, strict=True):
            if name in self.wanted:
                gradient = torch.empty_like(value)
                reached = gradient_of(name) in self._reached
                _clear_behind(gradient, alive if reached else 0)
                gradients.append(gradient)
        return gradients

    @cached_property
    def _reached(self) -> set[str]:
        """Buffers of gradients that the backward programs fill."""
        return {
            store.span.buffer
            for program in self.plan.backward
            for store in program.stores
        }

    def _run(self, half: Half, tensors: Sequence[Tensor], extent: Extent) -> None:
        """Compute; the tensors are those of `_words`."""
        addresses = [tensor.data_ptr() for tensor in tensors]
        # Its first rows hold the initial states.
        lead = extent.batch if self.graph.states else 0
        addresses[0] += lead * self.saved_width * self.dtype.itemsize
        half.run(addresses, extent.rows, self.library)

    def _final(
        self,
        position: int,
        initial: Sequence[Tensor],
        output: Tensor,
        saved: Tensor,
        carries: dict[int, Tensor],
        extent: Extent,
    ) -> Tensor:
        """A state after each sequence's last step."""
        start, span = initial[position], self.plan.states[position]
        if not extent.alive:
            return start.clone()
        if span is None:
            pair = carries[position]
            if extent.lengths is None:
                return pair[(extent.steps - 1) & 1].clone()
            own = torch.arange(extent.batch, device=CPU)
            return pair[(extent.lengths - 1) & 1, own]
        if span.buffer == OUTPUT:
            if extent.last is None or extent.lengths is None:
                return output.narrow_copy(0, extent.last_row, extent.batch)
            ends = output[extent.last.clamp(min=0)]
            return torch.where((extent.lengths > 0)[:, None], ends, start)
        columns = saved[:, span.start : span.start + span.size]
        if extent.last is None:
            first = extent.batch + extent.last_row
            return columns.narrow(0, first, extent.batch).clone()
        return columns[extent.last + extent.batch]


def _check_bfloat16(graph: StepGraph, dtype: torch.dtype) -> None:
    """Refuse products that the processor or the type does not have."""
    if not BFLOAT16 or dtype != torch.float32:
        raise BackendCannotServe(
            backend="llvm",
            cell=graph.cell,
            dtype=dtype,
            device=CPU,
            reason="products of bfloat16 need float32 and a processor with AVX512_BF16",
        )


def _clear_behind(rows: Tensor, alive: int) -> None:
    """Rows that no sequence has are 0."""
    if alive < rows.shape[0]:
        rows[alive:].zero_()


def _two(value: Tensor) -> Tensor:
    """Both places of a carried value, each holding where it starts."""
    return torch.stack((value, value))


@lru_cache(maxsize=512)
def engine(
    text: str,
    training: bool,
    wanted: str,
    dtype: torch.dtype,
    bfloat16: bool = False,
) -> Engine:
    """The engine of a graph, made once per process."""
    return Engine(text, training, wanted, dtype, bfloat16=bfloat16)
