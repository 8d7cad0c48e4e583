"""`python -m benchmarks.lazy`: what it compares are the same weights."""

import torch

from benchmarks.lazy import L1, L2, Weights, dense_kernel, lazy_kernel
from throughtime.backends.llvm.row_updates import row_kernels
from throughtime.optim.flow import time_of_fobos


def test_both_kernels_take_the_same_steps() -> None:
    lazy, dense = Weights(500, 5), Weights(500, 5)
    steps = 70
    for run in (lazy_kernel(lazy), dense_kernel(dense)):
        for _ in range(steps):
            run()
    now = sum(time_of_fobos(0.1, L2) for _ in range(steps))
    tables = lazy.weight.data_ptr(), lazy.stamps.data_ptr()
    row_kernels(4).catch_up(*tables, None, 500, 500, 1, now, L1, L2)
    torch.testing.assert_close(lazy.weight, dense.weight, rtol=0, atol=2e-5)
