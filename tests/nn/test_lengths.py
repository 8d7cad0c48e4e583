"""Lengths mean: each sequence as if it were alone, and nothing read behind its end."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.compare import assert_close
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM
from throughtime.errors import BadLengths, LengthsOfPacked
from throughtime.graph import Cell, Input, Parameter, State, Value
from throughtime.math import sigmoid, tanh
from throughtime.nn import Recurrent
from throughtime.nn.compiled.extents import ragged_extent
from throughtime.nn.packing import pack, packed

CELLS = [Elman(), LSTM(), GRU(reset_after=False), PeepholeLSTM(), Feedforward()]
F, H = 3, 5


class Decaying(Cell):
    """A state that decays with the time since the last step, and starts at 0.5."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    rate = Parameter("hidden", "elapsed_size")
    h = State("hidden", init=0.5)
    elapsed = Input(2)

    def __init__(self) -> None:
        self.elapsed_size = 2

    def step(self, x: Value, h: Value, elapsed: Value) -> Value:
        h = h * sigmoid(self.rate @ elapsed)
        return tanh(self.weight @ x + self.recurrent @ h)


def build(cell: Cell, backend: str, **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, F, H, backend=backend, dtype=torch.float64, **settings)


def draw(steps: int, lengths: list[int], size: int = F) -> Tensor:
    x = torch.randn(steps, len(lengths), size, dtype=torch.float64)
    for sequence, length in enumerate(lengths):
        x[length:, sequence] = torch.nan
    return x


def starts(module: Recurrent, batch: int) -> list[Tensor]:
    runs = module.num_layers * module.directions
    sizes = [state.size for state in module.graphs[0].states]
    return [torch.randn(runs, batch, n, dtype=torch.float64) for n in sizes]


def one_by_one(
    module: Recurrent,
    x: dict[str, Tensor],
    state: list[Tensor],
    lengths: list[int],
) -> tuple[Tensor, list[Tensor]]:
    """Output and states of every sequence run alone, without lengths."""
    steps, width = x["x"].shape[0], module.graphs[-1].output_size * module.directions
    columns, finals = [], []
    for sequence, length in enumerate(lengths):
        own = [value[:, sequence : sequence + 1] for value in state]
        output, final = x["x"].new_zeros((0, 1, width)), own
        if length:
            part = {n: v[:length, sequence : sequence + 1] for n, v in x.items()}
            output, final = module(part.pop("x"), own, **part)
        padding = x["x"].new_zeros((steps - length, 1, width))
        columns.append(torch.cat([output, padding]))
        finals.append(final)
    joined = [torch.cat(parts, 1) for parts in zip(*finals, strict=True)]
    return torch.cat(columns, 1), joined


def gradients(
    module: Recurrent, output: Tensor, finals: Any, leaves: list[Tensor]
) -> list[Tensor]:
    loss = output.square().sum() + sum(final.square().sum() for final in finals)
    wanted = [*leaves, *module.parameters()]
    return list(torch.autograd.grad(loss, wanted))


@given(
    cell=st.sampled_from(CELLS),
    steps=st.integers(1, 8),
    fractions=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
)
def test_as_if_alone(
    backend: str,
    cell: Cell,
    steps: int,
    fractions: list[float],
    layers: int,
    bidirectional: bool,
) -> None:
    lengths = [round(fraction * steps) for fraction in fractions]
    module = build(cell, backend, num_layers=layers, bidirectional=bidirectional)
    x = draw(steps, lengths).requires_grad_()
    state = [s.requires_grad_() for s in starts(module, len(lengths))]
    output, final = module(x, state, lengths=lengths)
    reference, ends = one_by_one(module, {"x": x}, state, lengths)
    assert_close(output, reference)
    for value, end in zip(final, ends, strict=True):
        assert_close(value, end)
    if not any(lengths):
        return
    leaves = [x, *state]
    for mine, theirs in zip(
        gradients(module, output, final, leaves),
        gradients(module, reference, ends, leaves),
        strict=True,
    ):
        assert_close(mine, theirs)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_nan_behind_the_end_changes_nothing(
    backend: str, batch_first: bool, bidirectional: bool
) -> None:
    lengths = [2, 0, 6, 1, 6]
    settings = {"num_layers": 2, "bidirectional": bidirectional}
    module = build(LSTM(), backend, batch_first=batch_first, **settings)
    poisoned = draw(6, lengths)
    padded = poisoned.nan_to_num(nan=0.0)
    found = []
    for x in (poisoned, padded):
        x = (x.transpose(0, 1) if batch_first else x).clone().requires_grad_()
        output, final = module(x, lengths=lengths)
        time_first = output.transpose(0, 1) if batch_first else output
        found.append([output, *final, *gradients(module, output, final, [x])])
        slopes = found[-1][3].transpose(0, 1) if batch_first else found[-1][3]
        for sequence, length in enumerate(lengths):
            assert (time_first[length:, sequence] == 0).all()
            assert (slopes[length:, sequence] == 0).all()
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert all(value.isfinite().all() for value in found[0])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_in_inference_mode(backend: str, bidirectional: bool) -> None:
    module = build(LSTM(), backend, num_layers=2, bidirectional=bidirectional)
    lengths, x = [4, 0, 6], draw(6, [4, 0, 6])
    output, final = module(x, lengths=torch.tensor(lengths))
    with torch.inference_mode():
        again, end = module(x.clone(), lengths=torch.tensor(lengths))
    assert torch.equal(again, output) and torch.equal(end.c, final.c)


def test_counts_that_change_are_read_again() -> None:
    counts = torch.tensor([2, 1, 1])
    assert ragged_extent(2, counts) is ragged_extent(2, counts)
    assert ragged_extent(2, counts).alive == 4
    counts[2] = 0
    assert ragged_extent(2, counts).alive == 3


@pytest.mark.parametrize("bidirectional", [False, True])
def test_full_lengths_are_no_lengths(backend: str, bidirectional: bool) -> None:
    module = build(GRU(), backend, bidirectional=bidirectional)
    x = torch.randn(5, 4, F, dtype=torch.float64)
    output, final = module(x, lengths=[5] * 4)
    reference, end = module(x)
    assert_close(output, reference)
    assert_close(final.h, end.h)


def test_further_inputs_and_first_values_of_the_cell(backend: str) -> None:
    lengths = [3, 5, 0, 1]
    module = build(Decaying(), backend, num_layers=2, bidirectional=True)
    x, elapsed = draw(5, lengths), draw(5, lengths, 2)
    output, final = module(x, lengths=torch.tensor(lengths), elapsed=elapsed)
    start = [torch.full((4, 4, H), 0.5, dtype=torch.float64)]
    both = {"x": x, "elapsed": elapsed}
    reference, ends = one_by_one(module, both, start, lengths)
    assert_close(output, reference)
    assert_close(final.h, ends[0])


@pytest.mark.parametrize(
    "lengths",
    [
        [3, 2],
        [3, 2, 1, 1],
        [3, 2, 6],
        [3, -1, 2],
        [3.0, 2.0, 1.0],
        [True, False, True],
        [[3], [2], [1]],
        torch.tensor([3.0, 2.0, 1.0]),
        torch.tensor(3),
        "321",
        3,
    ],
    ids=str,
)
def test_lengths_that_describe_no_batch_are_refused(lengths: Any) -> None:
    module = build(LSTM(), "reference")
    with pytest.raises(BadLengths, match="expected 3 whole numbers from 0 to 5"):
        module(torch.zeros(5, 3, F, dtype=torch.float64), lengths=lengths)


def test_a_packed_sequence_has_its_own_lengths() -> None:
    module = build(LSTM(), "reference")
    sequences = [torch.zeros(2, F, dtype=torch.float64)]
    x = torch.nn.utils.rnn.pack_sequence(sequences)
    with pytest.raises(LengthsOfPacked):
        module(x, lengths=[2])


@given(
    steps=st.integers(1, 6), fractions=st.lists(st.floats(0, 1), min_size=1, max_size=6)
)
def test_a_packing_is_a_permutation(steps: int, fractions: list[float]) -> None:
    lengths = torch.tensor([round(fraction * steps) for fraction in fractions])
    packing = pack(lengths, steps, torch.device("cpu"), mirrored=True)
    batch, alive = len(fractions), int(lengths.sum())
    rows = torch.arange(steps * batch)
    gather, mirror = packing.gather, packing.mirror
    assert gather is not None and mirror is not None
    living = rows[(torch.arange(steps)[:, None] < lengths).view(-1)]
    assert torch.equal(gather.sort().values, living)
    assert torch.equal(mirror[mirror], rows[:alive])
    expected = (torch.arange(steps)[:, None] < lengths).sum(1)
    assert torch.equal(packing.counts, expected)
    step, sequence = gather[:alive] // batch, gather[:alive] % batch
    assert (step < lengths[sequence]).all()
    assert torch.equal(step, step.sort(stable=True).values)
    opposite = gather[mirror[:alive]]
    assert torch.equal(opposite % batch, sequence)
    assert torch.equal(opposite // batch, lengths[sequence] - 1 - step)
    if alive:
        counts = expected[expected > 0]
        torchs = packed(counts, alive, torch.device("cpu"), mirrored=True)
        assert torchs.mirror is not None
        assert torch.equal(torchs.mirror, mirror[:alive])
