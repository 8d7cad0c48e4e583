"""`python -m benchmarks.sparse_layers`: what it compares are the same weights."""

import torch

from benchmarks.sparse_layers import L1, L2, Layer, Training, drawn


def test_both_kernels_take_the_same_steps() -> None:
    batches = drawn(300, 5, 4, 2)
    lazy, dense = Layer(300, batches), Layer(300, batches)
    for run in (lazy.lazy, dense.dense):
        for _ in range(40):
            run()
    where = lazy.weight.data_ptr(), lazy.stamps.data_ptr(), None
    lazy.kernels.catch_up(*where, 300, 300, lazy.weight.shape[1], lazy.now, L1, L2)
    # Rounding of float32 over 40 steps.
    torch.testing.assert_close(lazy.weight, dense.weight, rtol=1e-5, atol=2e-5)


def test_both_trainings_learn_the_same() -> None:
    batches = drawn(300, 5, 4, 2)
    lazy, dense = (Training(300, batches, lazy=own) for own in (True, False))
    for _ in range(10):
        lazy.step()
        dense.step()
    # One has l1 as well, the other decays before its step: 1e-6 a step either way.
    for name, value in dense.state_dict().items():
        torch.testing.assert_close(
            lazy.state_dict()[name], value, rtol=0, atol=5e-5, msg=name
        )
