"""Weaker processors, other pools of threads: the same numbers."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    assert_near,
    draw,
    engine_of,
    results,
    through_engine,
    ways,
)
from tests.backends.test_llvm_determinism import BATCH, CELLS, SIZE, STEPS
from tests.covering import crossed
from throughtime.backends.llvm.target import forced, host
from throughtime.cells import GRU, LSTM, Elman
from throughtime.graph import Cell, StepGraph, trace
from throughtime.nn.compiled.engine import Engine

X86 = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="an x86-64 processor's code"
)
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-12}


def compile_for(made: Engine, name: str) -> None:
    """Let an engine run code made for another processor."""
    for way in ways(split_units=False):
        made.kernels[way] = made.compile(way, forced(name))


@X86
@crossed(cell=CELLS, dtype=list(CLOSE), name=["avx2", "baseline"])
def test_weaker_processors(cell: Cell, dtype: torch.dtype, name: str) -> None:
    if name == "avx2" and host().vector_bytes < forced(name).vector_bytes:
        pytest.skip("this processor has no AVX2")
    graph = trace(cell, *SIZE)
    case = draw(graph, 4, 9, weights=0.2).to(dtype)
    made = engine_of(graph, dtype, training=True)
    compile_for(made, name)
    assert_near(
        through_engine(made, case), results(graph, case, "reference"), CLOSE[dtype]
    )


@X86
@pytest.mark.parametrize("cell", [LSTM(), GRU()], ids=repr)
def test_fused_arithmetic_has_the_same_bits_in_vectors_of_any_width(cell: Cell) -> None:
    if host().vector_bytes < 64:
        pytest.skip("this processor has one width of vectors with fused arithmetic")
    graph = trace(cell, *SIZE)
    case = draw(graph, 4, 9, weights=0.2).to(torch.float32)
    made = engine_of(graph, torch.float32, training=True)
    wide = through_engine(made, case)
    compile_for(made, "avx2")
    assert_equal_bits(through_engine(made, case), wide)


@crossed(cell=CELLS, lengths=[None, [STEPS] * 30 + [2] * 31])
def test_our_own_pool_of_threads(cell: Cell, lengths: list[int] | None) -> None:
    graph = trace(cell, *SIZE)
    same_by_our_own_pool(graph, draw(graph, STEPS, BATCH, lengths=lengths, weights=0.2))


def test_our_own_pool_packs_large_panels() -> None:
    graph = trace(Elman(), 64, 450)
    same_by_our_own_pool(graph, draw(graph, 3, 9, weights=0.05))


def same_by_our_own_pool(graph: StepGraph, case: Case) -> None:
    made = engine_of(graph, torch.float64, training=True)
    expected, before = through_engine(made, case), torch.get_num_threads()
    made.library = None
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert_equal_bits(through_engine(made, case), expected)
    finally:
        torch.set_num_threads(before)


SMALL_TEAM = """
import ctypes, sys, torch
from tests.backends.layers import assert_equal_bits, draw, engine_of, through_engine
from throughtime.backends.llvm import kernel
from throughtime.cells import LSTM
from throughtime.graph import trace
kernel.SMALLEST_SHARE = 200_000
graph = trace(LSTM(), 17, 33)
case = draw(graph, 8, 61, weights=0.2)
made = engine_of(graph, torch.float64, training=True)
torch.set_num_threads(1)
alone = through_engine(made, case)
torch.set_num_threads(4)
assert made.library is not None
assert_equal_bits(through_engine(made, case), alone)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="libgomp is found on Linux")
@pytest.mark.parametrize(
    "setting", ["OMP_THREAD_LIMIT=1", "OMP_THREAD_LIMIT=2", "OMP_DYNAMIC=true"]
)
def test_a_team_smaller_than_asked(setting: str) -> None:
    name, value = setting.split("=")
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, name: value, "PYTHONPATH": path}
    command = [sys.executable, "-c", SMALL_TEAM]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
