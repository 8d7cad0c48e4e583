"""Memory of a call: kept for the next one, given up when there is too little."""

import subprocess
import sys

import torch

from throughtime.nn.compiled.scratch import release, scratch

SHORT_OF_MEMORY = """
import resource, torch
from throughtime.cells import LSTM
from throughtime.nn import Recurrent

torch.set_num_threads(1)
torch.manual_seed(0)
module = Recurrent(LSTM(), 8, 64, backend="llvm")
small, large = torch.randn(3, 2, 8), torch.zeros(1, 1, 8).expand(2000, 1000, 8)
with torch.no_grad():
    before, _ = module(small)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
    try:
        module(large)
    except RuntimeError as error:
        assert "allocate memory" in str(error), error
    else:
        raise AssertionError("there was enough memory")
    after, _ = module(small)
assert torch.equal(before, after)
"""


def test_pieces_are_aligned_apart_and_kept() -> None:
    release()
    sizes = [5, 0, 33, 1]
    memory, addresses = scratch(torch.float32, sizes)
    assert all(address % 64 == 0 for address in addresses)
    starts = [(address - memory.data_ptr()) // 4 for address in addresses]
    pieces = [memory[i : i + size] for i, size in zip(starts, sizes, strict=True)]
    assert [piece.numel() for piece in pieces] == sizes
    for number, piece in enumerate(pieces):
        piece.fill_(number)
    assert [set(piece.tolist()) for piece in pieces] == [{0.0}, set(), {2.0}, {3.0}]
    again = scratch(torch.float32, [1])
    assert again.addresses[0] == addresses[0]
    release()


def test_a_call_without_enough_memory_fails_and_the_next_one_runs() -> None:
    command = [sys.executable, "-c", SHORT_OF_MEMORY]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
