"""`python -m benchmarks.lazy`: what it compares are the same weights."""

import torch

from benchmarks.lazy import EXAMPLES, L1, L2, Weights, kernel, optimizer_step
from benchmarks.sparse_layers import Layer, drawn
from throughtime.backends.llvm.row_updates import row_kernels
from throughtime.optim.flow import time_of_fobos


def test_both_kernels_take_the_same_steps() -> None:
    lazy, dense = Weights(500, 5), Weights(500, 5)
    for on in (lazy, dense):
        # The first row, whose stamp lies where that of a whole table would.
        on.rows[0] = torch.tensor([0, 7, 499])
    runs = kernel("lazy", lazy), kernel("dense", dense)
    for _ in range(2):
        now, _ = (run() for run in runs)
    expected = 2 * EXAMPLES * time_of_fobos(0.1, L2)
    torch.testing.assert_close(now, expected)
    tables = lazy.weight.data_ptr(), lazy.stamps.data_ptr()
    row_kernels(4).catch_up(*tables, None, 500, 500, 1, now, L1, L2)
    torch.testing.assert_close(lazy.weight, dense.weight, rtol=0, atol=2e-5)


def test_kernels_take_the_steps_of_the_optimiser() -> None:
    kernels, steps = Weights(300, 4), Weights(300, 4)
    now = kernel("lazy", kernels)()
    step = optimizer_step(steps)
    for _ in range(EXAMPLES):
        step()
    rows = steps.rows[EXAMPLES - 1]
    tables = kernels.weight.data_ptr(), kernels.stamps.data_ptr()
    row_kernels(4).catch_up(*tables, rows.data_ptr(), len(rows), 300, 1, now, L1, L2)
    torch.testing.assert_close(kernels.weight[rows], steps.weight[rows])


def test_updates_of_an_input_layer_are_those_of_all_weights() -> None:
    layers = [Layer(400, drawn(400, 6, 2, 3)) for _ in range(2)]
    for layer, name in zip(layers, ("lazy", "dense"), strict=True):
        layer.updates(name)()
    named = layers[0].batches[-1].named.features
    found, expected = (layer.weight[named] for layer in layers)
    # The rows of the last batch wait for its step alone.
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5)
