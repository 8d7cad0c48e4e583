"""Threads that share the units of every row: the same bits, whatever their number."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    draw,
    engine_of,
    through_engine,
    ways,
)
from tests.backends.test_llvm_determinism import CELLS
from tests.backends.test_llvm_options import QUICK
from throughtime.backends.llvm import meeting
from throughtime.backends.llvm.threads import give_up, run_in_pool
from throughtime.cells import LSTM
from throughtime.graph import Cell, trace
from throughtime.nn.compiled.engine import Engine
from throughtime.nn.compiled.extents import dense_extent

pytestmark = pytest.mark.skipif(give_up() is None, reason="no sched_yield here")
BATCHES = [(1, None), (3, None), (3, [40, 40, 7])]
STEPS = 40


def with_split_units(made: Engine) -> Engine:
    """Let an engine's threads share units, whatever it would choose."""
    for shared, whole in zip(
        ways(split_units=True), ways(split_units=False), strict=True
    ):
        made.kernels[shared] = made.kernels[whole] = made.compile(shared)
    return made


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, marks=() if repr(cell) in QUICK else (pytest.mark.slow,))
        for cell in CELLS
    ],
    ids=repr,
)
def test_bits_do_not_depend_on_who_computes_a_unit(cell: Cell) -> None:
    graph = trace(cell, 17, 70)
    split = with_split_units(engine_of(graph, torch.float32, training=True))
    for batch, lengths in BATCHES:
        case = draw(graph, STEPS, batch, lengths=lengths, weights=0.2)
        case = case.to(torch.float32)
        torch.set_num_threads(1)
        whole = engine_of(graph, torch.float32, training=True)
        expected = through_engine(whole, case)
        # More threads than processors, than rows and than tiles of units.
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            assert_equal_bits(through_engine(split, case), expected)


def test_our_own_pool_shares_units_as_well() -> None:
    graph = trace(LSTM(), 17, 70)
    case = draw(graph, STEPS, 1, weights=0.2).to(torch.float32)
    made = engine_of(graph, torch.float32, training=True)
    expected = through_engine(made, case)
    made = with_split_units(made)
    made.library = None
    torch.set_num_threads(2)
    assert_equal_bits(through_engine(made, case), expected)


def test_calls_at_once_do_not_take_each_others_threads() -> None:
    def call(_: int) -> None:
        meeting = Barrier(2, timeout=20)
        run_in_pool(lambda number: meeting.wait() and None, 2)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(400)))


def test_few_sequences_and_much_work_share_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(2)
    small, large, distant = (
        engine_of(trace(LSTM(), 8, size), torch.float32, training=True)
        for size in (16, 128, 128)
    )
    for made, seconds in ((small, 5e-8), (large, 5e-8), (distant, 5e-6)):
        monkeypatch.setattr(meeting, "seconds_to_meet", lambda own=seconds: own)
        graph = made.graph
        for batch in (1, 2):
            through_engine(made, draw(graph, 3, batch).to(torch.float32))
    assert {way.split_units for way in small.kernels} == {False}
    assert {way.split_units for way in large.kernels} == {False, True}
    # What threads gain is less than they need to meet.
    assert {way.split_units for way in distant.kernels} == {False}


def test_threads_meet_within_microseconds() -> None:
    assert 1e-9 < meeting.seconds_to_meet() < 1e-3


def test_the_better_of_the_last_two_measurements_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = iter([5e-8, 3e-7, 3e-7, 5e-8])
    monkeypatch.setattr(meeting, "measured", lambda: next(found))
    known = meeting._Known()
    assert [known.seconds() for _ in range(3)] == [5e-8] * 3  # it is not long ago
    monkeypatch.setattr(meeting, "HOLDS", 0.0)
    assert [known.seconds() for _ in range(3)] == [5e-8, 3e-7, 5e-8]


FORKING = """
import os, torch
from throughtime.backends.llvm import meeting
from throughtime.nn import LSTM

torch.set_num_threads(2)
layer, x = LSTM(16, 64), torch.randn(5, 1, 16)
torch.randn(300, 300) @ torch.randn(300, 300)
layer(x)
meeting.HOLDS = 0.0
child = os.fork()
if not child:
    with torch.no_grad():
        layer(x)
    os._exit(0)
raise SystemExit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_fork_does_not_wait_for_threads_that_it_lacks() -> None:
    subprocess.run([sys.executable, "-c", FORKING], check=True, timeout=60)


def test_who_meets_nobody_does_not_wait_for_long() -> None:
    """A team of one, as where a program has had OpenMP told so."""
    script = "import torch; from throughtime.backends.llvm import meeting as m; "
    script += "raise SystemExit(m.measured() != m.LONGEST)"
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    command = [sys.executable, "-c", script]
    subprocess.run(command, check=True, timeout=60, env=environment)


def test_a_pool_meets_where_there_is_no_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "openmp", lambda: None)
    assert 1e-9 < meeting.measured() <= meeting.LONGEST


def test_one_thread_keeps_its_rows_where_others_are_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = trace(LSTM(), 16, 64)
    made = engine_of(graph, torch.float32, training=True)
    wide = engine_of(trace(LSTM(), 256, 256), torch.float32, training=True)
    one, many = (draw(graph, 2000, batch).to(torch.float32) for batch in (1, 2))

    def most(engine: Engine, case: Case, threads: int = 2) -> list[int]:
        rows = dense_extent(case.steps, case.batch, False).rows
        halves = (engine.kernel(case.batch, backward=way) for way in (False, True))
        return [max(half._kernel.threads(rows, threads)) for half in halves]

    torch.set_num_threads(2)

    monkeypatch.setattr(meeting, "seconds_to_meet", lambda: 3e-7)
    alone = through_engine(made, one)
    assert most(made, one) == [1, 1]
    assert most(made, many) == [2, 2]  # two threads run the loop
    assert most(made, many, threads=16) == [16, 16]
    assert most(wide, one)[1] == 2  # much to multiply for each number
    monkeypatch.setattr(meeting, "seconds_to_meet", lambda: 1e-7)
    assert most(made, one)[1] == 2
    assert_equal_bits(through_engine(made, one), alone)
