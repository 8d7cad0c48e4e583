"""A compiled half of a plan and the memory of a call: addresses in, code entered."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import torch

from throughtime.backends.llvm.rows import Rows
from throughtime.backends.llvm.threads import OpenMP
from throughtime.nn.scratch import scratch

if TYPE_CHECKING:
    from throughtime.backends.llvm.kernel import Kernel

BUFFER = "buffer "


class Half:
    """Machine code, and where each of its words comes from.

    Parameters
    ----------
    kernel
        The code.
    given
        Words that a call has the addresses of, in its order.
    widths
        Columns of all buffers; those that are not given are scratch memory.
    dtype
        Of all numbers.
    """

    def __init__(
        self,
        kernel: "Kernel",
        given: Sequence[str],
        widths: Mapping[str, int],
        dtype: torch.dtype,
    ) -> None:
        names = kernel.facts.names
        own = [n for n in names if n.startswith(BUFFER) and n not in given]
        order = [*given, *own, *kernel.thread_words]
        self._kernel = kernel
        self._dtype = dtype
        self._widths = [widths[name.removeprefix(BUFFER)] for name in own]
        # Every half has a buffer and a number of threads: more than one word.
        self._words = itemgetter(*map(order.index, names))

    def run(self, addresses: Sequence[int], rows: Rows, library: OpenMP | None) -> None:
        """Compute, on the rows at these addresses."""
        kernel, most = self._kernel, torch.get_num_threads()
        threads = kernel.threads(rows, most)
        sizes = [rows.total * width for width in self._widths]
        pieces = scratch(self._dtype, [*sizes, kernel.workspace(most)])
        *own, workspace = pieces.addresses
        words = self._words((*addresses, *own, *threads))
        size = self._dtype.itemsize
        kernel.run(words, rows, workspace, size, threads, library)
