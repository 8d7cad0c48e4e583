"""A compiled half of a plan and the memory of a call: addresses in, code entered."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from throughtime.backends.llvm.rows import (
    KEY,
    ONCE,
    SEQUENCES,
    Again,
    Rows,
    row_width,
)
from throughtime.backends.llvm.threads import OpenMP
from throughtime.graph.programs import DELTA, OUTPUT, SAVED, SUMS, Plan, gradient_of
from throughtime.nn.compiled.pool import POOL
from throughtime.nn.compiled.scratch import ALIGNMENT, private, scratch
from throughtime.nn.compiled.ways import Way

if TYPE_CHECKING:
    from throughtime.backends.llvm.kernel import Kernel, Prepared

BUFFER = "buffer "
OPERAND = "operand "
PLACES = {"start": 1, "carry": 2}
"""What lives in scratch memory for every sequence, and in how many places."""


class Series:
    """Calls with the same parameters, one after the other.

    Only the first of a half packs its weights. The first that runs backward sets the
    gradients of parameters, the others add to them, so all must run the same half.
    """

    def __init__(self) -> None:
        self.halves: dict[tuple[int, bool, bool, bool], Half] = {}
        """By the number of sequences, and what else `Engine.kernel` was asked for."""
        self._panels: dict[Half, Tensor] = {}
        self.operands: dict[Half, list[Tensor]] = {}
        """What each half reads of the parameters."""

    def again(self, half: "Half") -> Again:
        """What earlier calls of a half leave to the next one."""
        packed = half in self._panels
        if not packed:
            self._panels[half] = half.empty_panels()
        return Again(self._panels[half].data_ptr(), packed)


class Half:
    """Machine code, and where each of its words comes from.

    Parameters
    ----------
    kernel
        The code.
    given
        Words that every call has the addresses of, in its order; behind them come
        those of `operands`.
    widths
        Of the rows of all buffers; those that are not given are scratch memory.
    sizes
        Units of each state.
    dtype
        Of all numbers.
    overlay
        The column of what is saved from which on δ lie; None: they lie elsewhere.
    """

    def __init__(
        self,
        kernel: "Kernel",
        given: Sequence[str],
        widths: Mapping[str, int],
        sizes: Sequence[int],
        dtype: torch.dtype,
        overlay: int | None = None,
    ) -> None:
        self.overlay = overlay
        read = [n for n in kernel.facts.names if n.startswith(OPERAND)]
        self.operands = [int(name.removeprefix(OPERAND)) for name in read]
        """Positions of the operands that the code reads."""
        known = {*given, *read, *kernel.thread_words}
        own = [name for name in kernel.facts.names if name not in known]
        rows = [name for name in own if name.startswith(BUFFER)]
        states = [name for name in own if not name.startswith(BUFFER)]
        order = [*given, *read, *rows, *states, *kernel.thread_words]
        self._kernel = kernel
        self._dtype = dtype
        self._per_row = [
            (name == BUFFER + SUMS, widths[name.removeprefix(BUFFER)]) for name in rows
        ]
        self._per_sequence = [
            PLACES[kind] * sizes[int(number)] for kind, number in map(str.split, states)
        ]
        # Every half has a buffer and a number of threads: more than one word.
        self._words = itemgetter(*map(order.index, kernel.facts.names))

    def empty_panels(self) -> Tensor:
        """Room for all panels of weights."""
        size = self._kernel.facts.panel_size + ALIGNMENT // self._dtype.itemsize
        memory = POOL.empty((size,), self._dtype)
        return memory[-memory.data_ptr() % ALIGNMENT // self._dtype.itemsize :]

    def prepared(
        self, addresses: Sequence[int], rows: Rows, library: OpenMP | None
    ) -> "tuple[Prepared, Tensor]":
        """A call by one thread, to be made again and again, and memory to hold."""
        sizes = [*self._sizes(rows), self._kernel.workspace(rows, 1)]
        pieces = private(self._dtype, sizes)
        *own, workspace = pieces.addresses
        alone = [1] * len(self._kernel.thread_words)
        words = self._words((*addresses, *own, *alone))
        size = self._dtype.itemsize
        call = self._kernel.prepared(words, rows, workspace, size, library)
        return call, pieces.memory

    def _sizes(self, rows: Rows) -> list[int]:
        """Numbers of each piece of scratch memory."""
        counts = rows.total, self._kernel.sum_rows(rows.batch)
        sizes = [counts[sums] * width for sums, width in self._per_row]
        return sizes + [rows.batch * size for size in self._per_sequence]

    def run(
        self,
        addresses: Sequence[int],
        rows: Rows,
        library: OpenMP | None,
        series: Series | None = None,
    ) -> None:
        """Compute, on the rows at these addresses."""
        kernel, most = self._kernel, torch.get_num_threads()
        threads = kernel.threads(rows, most)
        pieces = scratch(
            self._dtype, [*self._sizes(rows), kernel.workspace(rows, most)]
        )
        *own, workspace = pieces.addresses
        words = self._words((*addresses, *own, *threads))
        size = self._dtype.itemsize
        again = ONCE if series is None else series.again(self)
        kernel.run(words, rows, workspace, size, threads, library, again)


def widths_of(plan: Plan, sizes: Mapping[str, int], item_bytes: int) -> dict[str, int]:
    """Numbers from a row of each buffer to the next; ``sizes`` are those of inputs."""
    widths = {
        **sizes,
        **{gradient_of(name): size for name, size in sizes.items()},
        gradient_of(OUTPUT): plan.graph.output_size,
        **plan.widths,
    }
    for name in {SAVED, DELTA}.intersection(widths):
        widths[name] = row_width(widths[name], item_bytes)
    return widths


def words_of(
    way: Way,
    inputs: Sequence[str],
    wanted: Sequence[str],
    *,
    states: int,
    operands: int,
    random: bool,
) -> list[str]:
    """Of the tensors of a call, in the order in which they are given."""
    own_deltas = way.overwrite or not way.contract
    apart = [] if way.contract else [SUMS]
    buffers = [SAVED, *([DELTA] if own_deltas else []), *apart, OUTPUT, *inputs]
    kinds = ["initial", "final"]
    if way.backward:
        buffers += map(gradient_of, (OUTPUT, *(n for n in inputs if n in wanted)))
        kinds = ["initial", "final gradient", "state gradient"]
    words = [BUFFER + name for name in buffers]
    words += [f"{kind} {i}" for kind in kinds for i in range(states)]
    if way.backward:
        words += [f"gradient operand {i}" for i in range(operands)]
    return [*words, *([KEY, SEQUENCES] if random else [])]
