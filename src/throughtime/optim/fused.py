"""Pending rows on the CPU: one compiled pass instead of a dozen operations of torch."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from throughtime.backends.llvm import available
from throughtime.errors.optim import BadRows
from throughtime.optim.pending import Pending

if TYPE_CHECKING:
    from throughtime.backends.llvm.row_updates import RowKernels

_COMPILED = (torch.float32, torch.float64)


class ElasticPending(Pending):
    """Rows that wait under one rate for all, as `LazySGD` and `LazyFOBOS` have them.

    Where LLVM can compile and the weights lie row by row on the CPU, in float32 or
    float64, compiled code does the work; elsewhere operations of torch do the same.
    """

    def kernels(self) -> "RowKernels | None":
        """Give compiled code for the weights as they are now, if there is any."""
        weight = self.parameter
        if (
            weight.device.type != "cpu"
            or weight.dtype not in _COMPILED
            or not weight.is_contiguous()
            or not weight.numel()
            or not available()[0]
        ):
            return None
        from throughtime.backends.llvm.row_updates import row_kernels

        return row_kernels(weight.element_size())

    def catch_up(self, rows: Tensor) -> None:
        """Apply what is pending for some rows ``(n,)``; they may be repeated."""
        with self.lock:
            if self.settled:
                return
            kernels = self.kernels()
            if kernels is None or rows.device.type != "cpu":
                super().catch_up(rows)
                return
            rows = rows.contiguous()
            # A row that is not there is found by who reads it, in its own words.
            self._run(kernels, rows.data_ptr(), len(rows))

    def settle(self) -> None:
        """Apply what is pending for all rows, and put the clock back to zero."""
        with self.lock:
            kernels = None if self.settled else self.kernels()
            if kernels is None:
                super().settle()
                return
            self._run(kernels, None, len(self.parameter))
            with torch.inference_mode(False):
                self.stamps.zero_()
            self.now, self.settled = 0.0, True

    def first_stale(self, rows: Tensor | None) -> int | None:
        """Give a row that is behind, among some or all; None: there is none."""
        kernels = self.kernels()
        if kernels is None or rows is None or rows.device.type != "cpu":
            return super().first_stale(rows)
        last, stamps = len(self.parameter), self.stamps.data_ptr()
        place = kernels.stale(stamps, rows.data_ptr(), len(rows), last, self.now)
        if place < 0:
            return None
        row = int(rows[place])
        if not 0 <= row < last:
            raise BadRows(given=row, last=last - 1, parameter=self.name)
        return row

    def update(
        self, rows: Tensor, values: Tensor, time: float, step: tuple[float, ...]
    ) -> bool:
        """Step rows ``(n,)`` and let the others wait, if compiled code can.

        ``step`` is what `RowKernels.update` needs: keep, rate, amount, scale.
        """
        kernels, weight = self.kernels(), self.parameter
        if kernels is None or values.dtype != weight.dtype:
            return False
        if time:
            self.now += time
            self.settled = False
        rows, values = rows.contiguous(), values.contiguous()
        where = weight.data_ptr(), self.stamps.data_ptr(), rows.data_ptr()
        width = weight.numel() // len(weight)
        kernels.update(*where, values.data_ptr(), len(rows), width, self.now, *step)
        increment_version(weight)
        return True

    def update_all(self, values: Tensor, step: tuple[float, ...]) -> bool:
        """Step all rows, none of which waits, if compiled code can."""
        kernels, weight = self.kernels(), self.parameter
        if kernels is None or values.dtype != weight.dtype:
            return False
        values, table = values.contiguous(), weight.data_ptr()
        with torch.inference_mode(False):
            row, stamp = torch.zeros(1, dtype=torch.int64), torch.zeros(1).double()
        # The table as one long row.
        where = table, stamp.data_ptr(), row.data_ptr(), values.data_ptr()
        kernels.update(*where, 1, weight.numel(), 0.0, *step)
        increment_version(weight)
        return True

    def _run(self, kernels: "RowKernels", rows: int | None, count: int) -> None:
        weight, (l1, l2) = self.parameter, self.settings
        where = weight.data_ptr(), self.stamps.data_ptr(), rows
        last, width = len(weight), weight.numel() // len(weight)
        kernels.catch_up(*where, count, last, width, self.now, l1, l2)
