"""Memory that calls use in turn: lent to one tensor at a time, given back with it."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from throughtime.cells import LSTM
from throughtime.nn import Recurrent
from throughtime.nn.compiled.pool import PATIENCE, SMALLEST, Pool

LARGE = (SMALLEST // 4, 2)
"""A shape of float32 that the pool serves."""


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.release()


def large(pool: Pool) -> Tensor:
    return pool.empty(LARGE, torch.float32)


def test_memory_comes_back_with_the_last_view(pool: Pool) -> None:
    first = large(pool)
    place, view = first.data_ptr(), first[3:]
    del first
    other = large(pool)
    assert other.data_ptr() != place
    del view
    assert large(pool).data_ptr() == place


def test_a_tensor_is_no_view(pool: Pool) -> None:
    """Autograd refuses to change some views in place."""
    assert not large(pool)._is_view()
    assert large(pool).shape == LARGE


def test_a_large_output_is_changed_in_place() -> None:
    module = Recurrent(LSTM(), 3, 64, backend="llvm")
    for batch in (16, 1024):
        output, _ = module(torch.randn(8, batch, 3))
        output *= 2
        # The layer's own backward pass reads its output: a change is noticed.
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            output.sum().backward()


def test_two_living_tensors_share_nothing(pool: Pool) -> None:
    several = [large(pool).fill_(number) for number in range(5)]
    assert [value.unique().tolist() for value in several] == [[n] for n in range(5)]


def test_a_small_tensor_is_an_ordinary_one(pool: Pool) -> None:
    small = pool.empty((3, 5), torch.float64)
    assert small.shape == (3, 5)
    assert small.dtype == torch.float64
    assert not large(pool).untyped_storage().resizable()
    assert small.untyped_storage().resizable()


def test_a_block_that_nobody_wants_goes_back_to_the_system(pool: Pool) -> None:
    kept = large(pool)
    del kept
    other = (8 * LARGE[0], 2)
    for _ in range(2 * PATIENCE):
        pool.empty(other, torch.float32)
    assert {units: len(free) for units, free in pool._free.items() if free} == {}
    assert len(pool._returned) == 1


def test_unset_numbers_are_filled_where_torch_fills_them(pool: Pool) -> None:
    large(pool).zero_()
    torch.use_deterministic_algorithms(True)
    try:
        assert large(pool).isnan().all()
    finally:
        torch.use_deterministic_algorithms(False)


def test_threads_take_and_give_back_at_once(pool: Pool) -> None:
    def work(number: int) -> bool:
        for _ in range(50):
            own = large(pool).fill_(number)
            if not bool((own == number).all()):
                return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))


def test_graphs_that_live_at_once_keep_what_they_stored() -> None:
    torch.manual_seed(0)
    module = Recurrent(LSTM(), 8, 64, backend="llvm")
    x = torch.randn(40, 200, 8)

    def gradients(output: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(output.sum(), list(module.parameters())))

    alone = [gradients(module(value)[0]) for value in (x, -x)]
    gc.collect()
    both = [module(value)[0] for value in (x, -x)]
    for found, expected in zip(map(gradients, both), alone, strict=True):
        assert all(map(torch.equal, found, expected))
