"""On a GPU: torch's own cells through cuDNN, any other through the reference."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.nn.twins import KINDS, results, states, twins
from throughtime.cells import GRU, DropConnect, PeepholeLSTM, Zoneout
from throughtime.nn import Recurrent, convert

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="there is no CUDA device"
)
# cuDNN sums in an order of its own, and its exponentials are not the CPU's.
CUDNN_TOLERANCE = 1e-10


def assert_near(mine: list[Tensor], reference: list[Tensor]) -> None:
    for value, expected in zip(mine, reference, strict=True):
        assert value.device.type == "cuda"
        assert value.shape == expected.shape
        error = (value.cpu() - expected).abs().max().item()
        assert error <= CUDNN_TOLERANCE * max(1.0, expected.abs().max().item())


def on_cuda(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.cuda()
    return tuple(value.cuda() for value in state)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [False, True])
def test_torchs_own_cells_run_through_cudnn(kind: str, bias: bool) -> None:
    settings = {"num_layers": 2, "bidirectional": True, "bias": bias}
    mine, theirs = twins(kind, 7, 9, **settings)
    x = torch.randn(6, 4, 7, dtype=torch.float64)
    state = states(kind, 4, 4, 9)
    expected = results(theirs, x, state)
    mine.cuda()
    assert mine.choice(torch.float64, torch.device("cuda")).backend == "cudnn"
    assert_near(results(mine, x.cuda(), on_cuda(state)), expected)
    converted: Any = convert(theirs.cuda())
    assert_near(results(converted, x.cuda(), on_cuda(state)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences(kind: str) -> None:
    mine, theirs = twins(kind, 7, 9, num_layers=2, bidirectional=True)
    sequences = [torch.randn(n, 7, dtype=torch.float64) for n in (2, 5, 1, 5)]
    pack = torch.nn.utils.rnn.pack_sequence
    expected = results(theirs, pack(sequences, enforce_sorted=False))
    mine.cuda()
    x = pack([s.cuda() for s in sequences], enforce_sorted=False)
    assert_near(results(mine, x), expected)


@pytest.mark.parametrize("cell", [GRU(), PeepholeLSTM()], ids=repr)
def test_lengths(cell: Any) -> None:
    settings = {"num_layers": 2, "bidirectional": True, "dtype": torch.float64}
    module = Recurrent(cell, 7, 9, **settings)
    x = torch.randn(6, 5, 7, dtype=torch.float64)
    lengths = [2, 0, 6, 3, 1]
    for sequence, length in enumerate(lengths):
        x[length:, sequence] = torch.nan
    output, state = module(x, lengths=lengths)
    expected = [output, *state]
    module.cuda()
    for given in (lengths, torch.tensor(lengths).cuda()):
        output, state = module(x.cuda(), lengths=given)
        assert_near([output, *state], expected)


def test_a_seed_draws_the_same_masks_on_every_device() -> None:
    cell = DropConnect(Zoneout(PeepholeLSTM(), h=0.3, c=0.5), 0.5)
    module = Recurrent(cell, 7, 9, 2, dtype=torch.float64)
    x = torch.randn(6, 5, 7, dtype=torch.float64)
    torch.manual_seed(1)
    output, state = module(x)
    module.cuda()
    torch.manual_seed(1)
    found, after = module(x.cuda())
    assert_near([found, *after], [output, *state])


def test_no_warning_and_no_copy_in_training() -> None:
    # Filters turn a warning about scattered weights into an error.
    module = Recurrent(GRU(), 7, 9, 2).cuda()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    x = torch.randn(6, 4, 7).cuda()
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        loss = module(x)[0].square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    pointers = [p.data_ptr() for p in module.parameters()]
    assert pointers == sorted(pointers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_dtype_of_cudnn(dtype: torch.dtype) -> None:
    module = Recurrent(GRU(), 7, 9, device="cuda", dtype=dtype)
    output, _ = module(torch.randn(6, 4, 7, device="cuda", dtype=dtype))
    assert output.dtype == dtype
    output.square().sum().backward()
