"""The k-th largest unit, selected by compiled code: torch's, bit by bit."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from tests.graph.oracle import cell_of
from throughtime import math
from throughtime.graph import Parameter, State, Value
from throughtime.nn import Recurrent

SIZES = (1, 7, 16, 37)
FEW = [-torch.inf, -2.0, -1e-45, -0.0, 0.0, 1e-45, 0.5, 2.0, torch.inf, torch.nan]
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def selection(size: int, k: int, **settings: Any) -> Recurrent:
    cell = cell_of(lambda self, x: math.kth_largest(x, k))
    return Recurrent(cell, size, 1, backend="llvm", **settings)


def ordered(rows: Tensor) -> np.ndarray:
    """Rows from the largest unit down: NaN first, −0 behind 0."""
    numbers = rows.numpy()
    keys = np.lexsort((~np.signbit(numbers), np.nan_to_num(numbers, nan=np.inf)))
    turned = np.take_along_axis(numbers, keys[:, ::-1], 1)
    nan = np.argsort(~np.isnan(turned), axis=1, kind="stable")
    return np.take_along_axis(turned, nan, 1)


@BOTH
@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(data=strategies.data())
def test_it_is_one_of_the_units_bit_by_bit(
    size: int, dtype: torch.dtype, data: strategies.DataObject
) -> None:
    k = data.draw(strategies.sampled_from(sorted({1, (size + 1) // 2, size})))
    wide = 32 if dtype is torch.float32 else 64
    numbers = strategies.sampled_from(FEW) | strategies.floats(width=wide)
    given = data.draw(strategies.lists(numbers, min_size=4 * size, max_size=4 * size))
    rows = torch.tensor(given, dtype=dtype).view(4, size)
    found, _ = selection(size, k, dtype=dtype)(rows[None])
    expected = ordered(rows)[:, k - 1]
    np.testing.assert_array_equal(found[0, :, 0].detach().numpy(), expected)
    zeros = ~np.isnan(expected)
    signs = np.signbit(found[0, :, 0].detach().numpy())
    assert (signs == np.signbit(expected))[zeros].all()
    torch.testing.assert_close(
        found[0], rows.topk(k, -1).values[:, -1:], rtol=0, atol=0, equal_nan=True
    )


def winners(size: int, k: int, backend: str) -> Recurrent:
    """Units that compete; the threshold itself is used as well."""

    def step(self: Any, x: Value, h: Value) -> Value:
        v = math.tanh(self.w @ x + self.u @ h)
        least = math.kth_largest(v, k)
        other = math.kth_largest(self.b, 2)
        return math.where(v < least, 0, v) + least * other * 0.5

    torch.manual_seed(0)
    cell = cell_of(
        step,
        h=State("hidden"),
        w=Parameter("hidden", "input"),
        u=Parameter("hidden", "hidden"),
        b=Parameter("hidden"),
    )
    return Recurrent(cell, 2, size, backend=backend, dtype=torch.float64)


@pytest.mark.parametrize("backend", ["reference", "llvm"])
def test_derivatives_of_every_order(backend: str) -> None:
    module = winners(5, 2, backend)
    x = torch.randn(3, 2, 2, dtype=torch.float64).requires_grad_()
    weights = [weight.detach().requires_grad_() for weight in module.parameters()]
    names = [name for name, _ in module.named_parameters()]

    def call(x: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(module, given, (x,))[0]

    assert gradcheck(call, (x, *weights))
    assert gradgradcheck(call, (x, *weights))


@BOTH
def test_ties_share_the_error(dtype: torch.dtype) -> None:
    rows = torch.tensor([[1, 3, 3, 0, 3], [2, 2, 2, 2, 2], [5, 4, 3, 2, 1]])
    expected = [[0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]]
    shares = torch.tensor(expected, dtype=dtype)
    shares /= shares.sum(1, keepdim=True)
    for backend in ("reference", "llvm"):
        cell = cell_of(lambda self, x: math.kth_largest(x, 2))
        x = rows.to(dtype)[None].requires_grad_()
        output, _ = Recurrent(cell, 5, 1, backend=backend, dtype=dtype)(x)
        output.sum().backward()
        torch.testing.assert_close(x.grad, shares[None])


def test_both_backends_agree_for_many_units() -> None:
    x = torch.randn(6, 5, 2, dtype=torch.float64, generator=torch.manual_seed(1))
    for size, k in ((40, 3), (65, 64), (33, 33)):
        found = [winners(size, k, backend)(x)[0] for backend in ("reference", "llvm")]
        torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)
