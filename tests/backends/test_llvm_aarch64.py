"""Every built-in cell compiled for AArch64: nothing is x86-64's alone."""

import re
import struct
from collections.abc import Iterator

import pytest
import torch

import throughtime as tt
from tests.backends.layers import engine_of, ways
from tests.covering import crossed
from throughtime import math
from throughtime.backends.llvm.compile import object_code
from throughtime.backends.llvm.kernel import write_half
from throughtime.backends.llvm.options import Settings
from throughtime.backends.llvm.target import AARCH64
from throughtime.graph import Cell, State, Value, trace
from throughtime.graph.block_diagonal import with_heads
from throughtime.graph.operations import UNARY
from throughtime.graph.programs import DELTA
from throughtime.graph.values import apply
from throughtime.nn.compiled.engine import Engine, Way


class EveryFunction(Cell):
    """The whole language in one sum."""

    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        total = h / (1 + x * x) - h**3 + math.where(h < x, h, -x)
        for operation in UNARY:
            total = total + apply(operation, math.clip(h, -1, 1) + x)
        total = total + math.minimum(h, x) + math.maximum(h, x) + math.softmax(h)
        total = total + math.sum(h) + math.mean(h) + math.max(h)
        return total + math.kth_largest(h, 3) + math.kth_largest(x, 8)


EVERY = [getattr(tt.cells, name) for name in tt.cells.__all__]
CELLS: list[Cell] = [one() for one in EVERY if isinstance(one, type)]
CELLS.append(tt.cells.Zoneout(tt.cells.LSTM(), h=0.1, c=0.2))
EM_AARCH64 = 183
SYMBOL_TABLE = 2


def written(made: Engine, way: Way) -> str:
    widths = made.widths
    if way.overwrite:
        widths = {**widths, DELTA: made.saved_width}
    plan = made.hoisted if way.hoist else made.plan
    settings = Settings(
        made.dtype.itemsize, split_units=way.split_units, options=made.options
    )
    return write_half(plan, way.backward, widths, settings, AARCH64).text


def missing_symbols(elf: bytes) -> Iterator[str]:
    """Names that an object leaves to a linker, read from its table of symbols."""
    start, size, count = struct.unpack_from("<40xQ10xHH", elf)
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", elf, start + i * size) for i in range(count)
    ]
    for _, kind, _, _, offset, length, link, *_ in sections:
        if kind == SYMBOL_TABLE:
            names = sections[link][4]
            for at in range(offset + 24, offset + length, 24):
                name, _, _, section = struct.unpack_from("<IBBH", elf, at)
                if not section:
                    yield elf[names + name :].partition(b"\0")[0].decode()


@pytest.mark.parametrize("cell", [*CELLS, EveryFunction()], ids=repr)
def test_a_cell_for_another_kind_of_machine(cell: Cell) -> None:
    made = engine_of(trace(cell, 8, 8), torch.float32, training=True)
    for way in (Way(False, True, True, False), Way(True, False, False, False)):
        check(written(made, way))


def check(text: str) -> None:
    assert not re.search(r"llvm\.x86|avx|sse", text)
    elf = object_code(text, AARCH64)
    assert elf[:6] == b"\x7fELF\x02\x01"  # 64 bits, little-endian
    assert struct.unpack_from("<H", elf, 18) == (EM_AARCH64,)
    assert set(missing_symbols(elf)) <= {"memset", "memcpy"}


@crossed(dtype=[torch.float32, torch.float64], split_units=[False, True])
def test_every_way_to_run_a_half(dtype: torch.dtype, split_units: bool) -> None:
    graph = with_heads(trace(tt.cells.GRU(), 3, 8), 2)
    made = engine_of(graph, dtype, training=True)
    for way in ways(split_units=split_units):
        check(written(made, way))


def test_symbols_that_are_missing_are_found() -> None:
    text = "declare void @other()\ndefine void @run() { call void @other() ret void }"
    assert list(missing_symbols(object_code(text, AARCH64))) == ["other"]
