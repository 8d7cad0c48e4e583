"""Which backend serves is decided in one place, and can be asked."""

import subprocess
import sys

import pytest
import torch

from throughtime import errors
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM
from throughtime.graph import Cell, Value, trace
from throughtime.math import sigmoid, split, tanh
from throughtime.nn import Recurrent
from throughtime.nn.choice import choose, plain_operation

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Renamed(LSTM):
    """The equations of an LSTM in somebody's own words."""

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        gates = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        write, keep, new, read = split(gates, 4)
        write, keep = sigmoid(write), sigmoid(keep)
        new, read = tanh(new), sigmoid(read)
        cell = keep * c + write * new
        return read * tanh(cell), cell


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("cell", "operation"),
    [
        (Elman(), "rnn_tanh"),
        (Elman("relu"), "rnn_relu"),
        (LSTM(), "lstm"),
        (Renamed(), "lstm"),
        (GRU(), "gru"),
        (Elman("sigmoid"), ""),
        (GRU(reset_after=False), ""),
        (PeepholeLSTM(), ""),
        (Feedforward("tanh"), ""),
    ],
    ids=repr,
)
def test_torchs_own_cells_are_known_by_their_equations(
    cell: Cell, operation: str, bias: bool
) -> None:
    assert plain_operation(trace(cell, 3, 5, bias=bias)) == operation


@pytest.mark.parametrize(
    ("operation", "dtype", "device", "backend", "reason"),
    [
        ("lstm", torch.float32, CPU, "llvm", "compiled"),
        ("", torch.float64, CPU, "llvm", "compiled"),
        ("lstm", torch.float32, CUDA, "cudnn", "torch has lstm"),
        ("gru", torch.float16, CUDA, "cudnn", "torch has gru"),
        ("", torch.float32, CUDA, "reference", "none of torch's own"),
        ("lstm", torch.float16, CPU, "reference", "not torch.float16"),
        ("lstm", torch.float32, torch.device("meta"), "reference", "not for meta"),
    ],
)
def test_automatic_choices(
    operation: str,
    dtype: torch.dtype,
    device: torch.device,
    backend: str,
    reason: str,
) -> None:
    choice = choose("auto", [trace(LSTM(), 3, 5)], operation, dtype, device)
    assert choice.backend == backend
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("backend", "cell", "dtype", "reason"),
    [
        ("cudnn", LSTM(), torch.float32, "needs a CUDA device"),
        ("cudnn", PeepholeLSTM(), torch.float32, "none of torch's own"),
        ("llvm", LSTM(), torch.float16, "not torch.float16"),
    ],
)
def test_a_forced_backend_serves_or_says_why_not(
    backend: str, cell: Cell, dtype: torch.dtype, reason: str
) -> None:
    module = Recurrent(cell, 3, 5, backend=backend, dtype=dtype)
    with pytest.raises(errors.BackendCannotServe, match=reason):
        module(torch.zeros(4, 2, 3, dtype=dtype))


def test_a_module_says_who_serves(backend: str) -> None:
    module = Recurrent(LSTM(), 3, 5, backend=backend)
    choice = module.choice(torch.float32, CPU)
    assert choice.backend == backend
    assert "by name" in choice.reason


WITHOUT_LLVM = """
import sys, warnings
sys.modules["llvmlite"] = None  # as if it were not installed
import torch
from throughtime.cells import LSTM
from throughtime.errors import BackendCannotServe
from throughtime.nn import Recurrent
from throughtime.nn.choice import COMPILER
assert not COMPILER[0] and "llvmlite" in COMPILER[1], COMPILER
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        module = Recurrent(LSTM(), 3, 5)
        module(torch.zeros(4, 2, 3))
assert module.choice(torch.float32, torch.device("cpu")).backend == "reference"
try:
    Recurrent(LSTM(), 3, 5, backend="llvm")(torch.zeros(4, 2, 3))
except BackendCannotServe as error:
    print(len(caught), error)
"""


def test_without_llvmlite_the_reference_serves_and_warns_once() -> None:
    command = [sys.executable, "-c", WITHOUT_LLVM]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stdout.startswith("1 backend='llvm' cannot run LSTM")
