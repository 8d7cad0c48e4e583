"""Compiled layers: tensors in, tensors out, pointers between.

What an operator does when it runs: allocate the buffers of a plan, say where the rows
lie, and enter the machine code.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from throughtime.backends.llvm.options import Options, Settings
from throughtime.backends.llvm.overlay import overlay
from throughtime.backends.llvm.threads import openmp
from throughtime.graph.plan import plan
from throughtime.graph.programs import (
    DELTA,
    SAVED,
    gradient_of,
)
from throughtime.graph.random_values import draws_per_sequence, is_random
from throughtime.graph.serialize import from_json
from throughtime.nn.compiled.door import Door
from throughtime.nn.compiled.drawing import placed_key
from throughtime.nn.compiled.extents import Extent, clear_behind, extent_of
from throughtime.nn.compiled.half import Half, Series, widths_of, words_of
from throughtime.nn.compiled.operands import Operands
from throughtime.nn.compiled.pool import POOL
from throughtime.nn.compiled.ways import Way, hoists, shares_units, step_work
from throughtime.nn.precision import check_bfloat16

if TYPE_CHECKING:
    from throughtime.backends.llvm.target import Target

STANDARD = Options()

_compiling = Lock()


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
            check_bfloat16(graph, dtype)
        self.wanted = tuple(wanted.split())
        self.bfloat16 = bfloat16
        self.options = options
        self.kernels: dict[Way, Half] = {}
        self.plan, self.hoisted = (
            plan(graph, training=training, input_gradients=self.wanted, hoist=hoist)
            for hoist in (False, True)
        )
        self.graph = graph
        self.random = is_random(graph)
        self.draws_per_sequence = draws_per_sequence(graph)
        self.dtype = dtype
        # Whose threads run it; None: those of a small pool of our own.
        self.library = openmp()
        self.operands = Operands(self.plan, dtype)
        sizes = {"x": graph.input_size}
        sizes |= {declared.name: declared.size for declared in graph.inputs}
        self.input_sizes = sizes
        self.widths = widths_of(self.hoisted, sizes, dtype.itemsize)
        self.door = Door(graph, self.saved_width)

    def kernel(
        self,
        batch: int,
        *,
        backward: bool,
        overwrite: bool = False,
        contract: bool = True,
        series: Series | None = None,
    ) -> Half:
        """The compiled half that serves so many sequences, the same for a series."""
        known = {} if series is None else series.halves
        asked = batch, backward, overwrite, contract
        if asked not in known:
            known[asked] = self._kernel(*asked)
        return known[asked]

    def _kernel(
        self, batch: int, backward: bool, overwrite: bool, contract: bool
    ) -> Half:
        few = hoists(batch) or not self.options.project_in_loop
        over = overwrite and self.overlay is not None
        split = self._splits(batch, backward)
        way = Way(backward, not backward and few, split, over, contract)
        if way not in self.kernels:
            with _compiling:
                if way not in self.kernels:
                    self.kernels[way] = self.compile(way)
        return self.kernels[way]

    def compile(self, way: Way, target: "Target | None" = None) -> Half:
        """Compile one way to run a half, by default for this processor."""
        # Needs llvmlite, which the other backends do without.
        from throughtime.backends.llvm.kernel import compile_half

        widths = self.widths
        if way.overwrite:
            widths = {**widths, DELTA: self.saved_width}
        over = self.overlay if way.overwrite else None
        planned = self.hoisted if way.hoist else self.plan
        if not way.contract:
            planned = replace(planned, contractions=())
        kernel = compile_half(
            planned,
            backward=way.backward,
            widths=widths,
            settings=Settings(
                self.dtype.itemsize,
                bfloat16=self.bfloat16,
                split_units=way.split_units,
                options=self.options,
            ),
            target=target,
        )
        return Half(
            kernel,
            words_of(
                way,
                list(self.input_sizes),
                self.wanted,
                states=len(self.plan.states),
                operands=len(self.plan.operands),
                random=self.random,
            ),
            widths,
            [state.size for state in self.graph.states],
            self.dtype,
            over,
        )

    @cached_property
    def overlay(self) -> int | None:
        """The column of what is saved from which on δ may lie; None: nowhere."""
        return overlay(self.plan) if self.options.overwrite_saved else None

    def _splits(self, batch: int, backward: bool) -> bool:
        work = self._step_work[backward]
        return self.options.split_units and shares_units(batch, work)

    @cached_property
    def _step_work(self) -> tuple[int, int]:
        return step_work(self.hoisted)

    @property
    def saved_width(self) -> int:
        """From a row of what the backward pass reads to the next; 0: it needs none."""
        return self.widths.get(SAVED, 0)

    def forward(
        self,
        inputs: Sequence[Tensor],
        initial: Sequence[Tensor],
        parameters: Sequence[Tensor],
        extent: Extent,
        room: tuple[Tensor, Tensor] | None = None,
        series: Series | None = None,
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Output ``(N, H)``, final states ``(B, n)``, and what is saved.

        The output has the leading dimensions of the inputs. Without initial states
        they are those of the declarations. The saved rows begin with B rows for them.
        Who has room for the output and for what is saved gives that.
        """
        x, batch = inputs[0], extent.batch
        if room is None:
            room = self.empty_output(x, extent.alive), self.empty_saved(x, batch)
        output, saved = room
        finals = [x.new_empty((batch, state.size)) for state in self.graph.states]
        if not extent.alive:
            self._stand_still(initial, finals)
            return output, finals, saved.zero_()
        clear_behind(saved, self._lead(batch) + extent.alive)
        given = saved, output, *inputs, *self._or_none(initial), *finals
        half = self.kernel(batch, backward=False, series=series)
        self._run(half, given, parameters, extent, series)
        return output, finals, saved

    def prepared(
        self,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        parameters: Sequence[Tensor],
        output: Tensor,
    ) -> Callable[[], None]:
        """A step of B sequences to be made again and again with the same memory.

        Inputs ``(B, n)`` are read there and the output is written there. States are
        those before the step, then those after it. Parameters may be changed without
        any effect on it.
        """
        batch = len(output)
        half = self.kernel(batch, backward=False)
        extent = extent_of(bool(self.graph.states), batch, None, 1, batch, False)
        values = self.operands.values(parameters, half.operands)
        saved = output.new_zeros((2 * batch, self.saved_width))
        held = [saved, output, *inputs, *states, *states, *(v.clone() for v in values)]
        addresses = [tensor.data_ptr() for tensor in held]
        addresses[0] += self._lead(batch) * self.saved_width * self.dtype.itemsize
        call, memory = half.prepared(addresses, extent.rows, self.library)
        # The call knows addresses alone: what lies there must live as long as it.
        call.held = (*held, *extent.held, memory)
        return call

    def empty_output(self, x: Tensor, alive: int) -> Tensor:
        """Room for the output of so many living rows, 0 behind them."""
        output = POOL.empty((*x.shape[:-1], self.graph.output_size), x.dtype)
        # No part of what an operator returns may be left to chance.
        clear_behind(output, alive)
        return output

    def empty_saved(self, x: Tensor, batch: int) -> Tensor:
        """Room for what the backward pass reads of the rows of x."""
        rows = x.shape[:-1].numel()
        return POOL.empty((self._lead(batch) + rows, self.saved_width), x.dtype)

    def _lead(self, batch: int) -> int:
        """Rows of initial states before what is saved."""
        return batch if self.graph.states else 0

    def _stand_still(self, initial: Sequence[Tensor], finals: Sequence[Tensor]) -> None:
        """States after no step at all."""
        for final, state in zip(finals, self.graph.states, strict=True):
            final.fill_(state.number)
        for final, start in zip(finals, initial, strict=False):
            final.copy_(start)

    def _or_none(self, values: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        """One value for each state, where there may be none at all."""
        return values or [None] * len(self.graph.states)

    def backward(
        self,
        inputs: Sequence[Tensor],
        initial: Sequence[Tensor],
        parameters: Sequence[Tensor],
        extent: Extent,
        output: Tensor,
        saved: Tensor,
        output_gradient: Tensor,
        final_gradients: Sequence[Tensor | None],
        *,
        overwrite: bool = False,
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Gradients of the wanted inputs, of given initial states, of parameters.

        ``overwrite`` says that nobody needs what is saved afterwards.
        """
        gradients = self.empty_gradients(inputs, extent.alive)
        operand_gradients = self.operands.empty()
        state_gradients = self.backward_into(
            *(gradients, operand_gradients),
            *(inputs, initial, parameters, extent),
            *(output, saved, output_gradient, final_gradients),
            overwrite=overwrite,
        )
        own = self.operands.gradients(parameters, operand_gradients)
        return gradients, state_gradients, own

    def backward_into(
        self,
        gradients: Sequence[Tensor],
        operand_gradients: Sequence[Tensor],
        inputs: Sequence[Tensor],
        initial: Sequence[Tensor],
        parameters: Sequence[Tensor],
        extent: Extent,
        output: Tensor,
        saved: Tensor,
        output_gradient: Tensor,
        final_gradients: Sequence[Tensor | None],
        series: Series | None = None,
        *,
        overwrite: bool = False,
        apart: tuple[Tensor, Tensor] | None = None,
    ) -> list[Tensor]:
        """Fill the gradients of inputs and operands; give those of initial states.

        Where there is room ``apart`` for δ and for sums of each sequence, they go
        there, and operands have no gradients. In a series, calls without a living row
        come first.
        """
        state_gradients = [torch.empty_like(state) for state in initial]
        contracts = apart is None and self.plan.contractions
        if extent.alive and (self.plan.backward or contracts):
            given = (
                *(saved, *(apart or ()), output),
                *(*inputs, output_gradient, *gradients),
                *(*self._or_none(initial), *final_gradients),
                *(*self._or_none(state_gradients), *operand_gradients),
            )
            half = self.kernel(
                extent.batch,
                backward=True,
                overwrite=overwrite,
                contract=apart is None,
                series=series,
            )
            self._run(half, given, parameters, extent, series)
        else:
            for gradient in operand_gradients:
                gradient.zero_()
            for gradient, final in zip(state_gradients, final_gradients, strict=False):
                gradient.zero_() if final is None else gradient.copy_(final)
        return state_gradients

    def empty_gradients(self, inputs: Sequence[Tensor], alive: int) -> list[Tensor]:
        """Room for the gradients of the wanted inputs, 0 where nothing is written."""
        gradients: list[Tensor] = []
        for name, value in zip(self.input_sizes, inputs, strict=True):
            if name in self.wanted:
                gradient = POOL.empty(value.shape, value.dtype)
                reached = gradient_of(name) in self._reached
                clear_behind(gradient, alive if reached else 0)
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

    def _run(
        self,
        half: Half,
        given: Sequence[Tensor | None],
        parameters: Sequence[Tensor],
        extent: Extent,
        series: Series | None = None,
    ) -> None:
        """Compute; what is given is that of `_words`."""
        known = {} if series is None else series.operands
        if half not in known:
            known[half] = self.operands.values(parameters, half.operands)
        if self.random:
            given = *given, placed_key(parameters[-1], extent.first), extent.sequences
        addresses = [0 if t is None else t.data_ptr() for t in (*given, *known[half])]
        lead = self._lead(extent.batch)
        addresses[0] += lead * self.saved_width * self.dtype.itemsize
        if half.overlay is not None:
            addresses.insert(1, addresses[0] + half.overlay * self.dtype.itemsize)
        half.run(addresses, extent.rows, self.library, series)


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
