"""Equal bits: any number of threads, any order and split of the batch and of time."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    draw,
    forward,
    results,
    select,
)
from tests.sizes import SIZES
from throughtime import math
from throughtime.cells import (
    GRU,
    LSTM,
    Elman,
    Feedforward,
    LayerNormLSTM,
    PeepholeLSTM,
)
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.nn import Recurrent

STEPS, BATCH = 8, 61
"""Enough work for three threads, no multiple of a tile's rows."""


class Normed(Cell):
    """Reductions, a selection, a second phase, and an output of its own."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    out = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> tuple[Value, Value]:
        sums = self.weight @ x + self.recurrent @ h
        centred = sums - math.mean(sums)
        deviation = math.rsqrt(math.mean(math.square(centred)) + 1e-3)
        h = math.tanh(centred * deviation)
        h = math.where(h < math.kth_largest(h, 2), 0, h)
        return math.softmax(self.out @ h), h


CELLS: list[Cell] = [
    LSTM(),
    GRU(),
    GRU(reset_after=False),
    PeepholeLSTM(),
    Elman(),
    Feedforward(),
    Normed(),
    LayerNormLSTM(),
]
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)
SIZE = SIZES[6]


def case_of(cell: Cell, dtype: torch.dtype, lengths: Sequence[int] | None) -> Case:
    graph = trace(cell, *SIZE)
    return draw(graph, STEPS, BATCH, lengths=lengths, weights=0.2).to(dtype)


LENGTHS = [STEPS] * 20 + [5] * 20 + [1] * 11 + [0] * 10


@EACH
@BOTH
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
def test_any_number_of_threads(
    cell: Cell, dtype: torch.dtype, lengths: list[int] | None
) -> None:
    graph, case = trace(cell, *SIZE), case_of(cell, dtype, lengths)
    torch.set_num_threads(1)
    alone, inference = results(graph, case, "llvm"), forward(graph, case, "llvm")
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert_equal_bits(results(graph, case, "llvm"), alone)
        assert_equal_bits(forward(graph, case, "llvm"), inference)


def per_row(found: dict[str, Tensor], case: Case, rows: Tensor) -> dict[str, Tensor]:
    """What belongs to some sequences; gradients of parameters belong to all."""
    streams = {"output", *(f"gradient of input {name}" for name in case.inputs)}
    picked = {}
    for name, value in found.items():
        if name in streams:
            picked[name] = value.view(case.steps, case.batch, -1)[:, rows].contiguous()
        elif name.startswith(("final", "gradient of state")):
            picked[name] = value[rows]
    return picked


@EACH
@BOTH
def test_any_order_and_split_of_the_batch(cell: Cell, dtype: torch.dtype) -> None:
    graph, case = trace(cell, *SIZE), case_of(cell, dtype, None)
    whole, inference = results(graph, case, "llvm"), forward(graph, case, "llvm")
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(1))
    for rows in (order, order[:1], order[:7], order[7:40], torch.arange(BATCH)[13:]):
        own = select(case, rows)
        found = per_row(results(graph, own, "llvm"), own, torch.arange(len(rows)))
        assert_equal_bits(found, per_row(whole, case, rows))
        found = per_row(forward(graph, own, "llvm"), own, torch.arange(len(rows)))
        assert_equal_bits(found, per_row(inference, case, rows))


@EACH
@BOTH
def test_training_and_inference_compute_the_same(
    cell: Cell, dtype: torch.dtype
) -> None:
    graph, case = trace(cell, *SIZE), case_of(cell, dtype, None)
    inference = forward(graph, case, "llvm")
    training = results(graph, case, "llvm")
    assert_equal_bits({name: training[name] for name in inference}, inference)


@EACH
@BOTH
@pytest.mark.parametrize("cut", [1, 3, STEPS - 1])
def test_any_split_of_time(cell: Cell, dtype: torch.dtype, cut: int) -> None:
    graph, case = trace(cell, *SIZE), case_of(cell, dtype, None)
    middle = cut * BATCH
    parts, start = [], case.initial
    for steps, rows in ((cut, slice(0, middle)), (STEPS - cut, slice(middle, None))):
        inputs = {name: value[rows] for name, value in case.inputs.items()}
        part = replace(case, inputs=inputs, initial=start, steps=steps)
        found = forward(graph, part, "llvm")
        start = [found[f"final {i}"] for i in range(len(start))]
        parts.append(found["output"])
    joined = {"output": torch.cat(parts)}
    joined |= {f"final {i}": value for i, value in enumerate(start)}
    assert_equal_bits(joined, forward(graph, case, "llvm"))


@EACH
@BOTH
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_one_step_at_a_time(cell: Cell, dtype: torch.dtype, layers: int) -> None:
    torch.manual_seed(0)
    module = Recurrent(cell, *SIZE, layers, dtype=dtype, backend="llvm")
    x = torch.randn(STEPS, 5, SIZE[0], dtype=dtype)
    output, final = module(x)
    state = None
    for step in range(STEPS):
        row, state = module.step(x[step], state)
        assert_equal_bits({"row": row.contiguous()}, {"row": output[step].contiguous()})
    for mine, whole in zip(state or (), final, strict=True):
        assert_equal_bits({"final": mine}, {"final": whole})


def test_two_python_threads_at_once() -> None:
    graph = trace(LSTM(), *SIZE)
    cases = [draw(graph, STEPS, BATCH, seed=seed, weights=0.2) for seed in range(4)]
    expected = [results(graph, case, "llvm") for case in cases]
    found: dict[tuple[int, int], dict[str, Tensor]] = {}

    def work(number: int) -> None:
        for turn in range(10):
            found[number, turn] = results(graph, cases[number], "llvm")

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 40
    for (number, _), result in found.items():
        assert_equal_bits(result, expected[number])
