"""A stream gives the bits of the whole sequence, one step at a time."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import throughtime as tt
from tests.cells.regularised import REGULARISED
from tests.covering import crossed
from tests.sizes import SIZES
from throughtime import Cell, Input, Parameter, State
from throughtime.cells.built_in import BUILT_IN
from throughtime.errors import (
    DtypeMismatch,
    NotATensor,
    StateCountMismatch,
    StreamElsewhere,
    StreamMismatch,
    TwoDirections,
)
from throughtime.graph import Value
from throughtime.math import tanh


class Timed(Cell):
    """With a further input, and a state that begins at 0.5."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    h = State("hidden", init=0.5)
    gap = Input(2)

    def step(self, x: Value, h: Value, gap: Value) -> Value:
        scaled = tt.math.concat(gap, gap)
        return tanh(self.weight @ x + self.recurrent @ h) * scaled


def sequence(module: tt.nn.Recurrent, steps: int, *batch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(steps)
    dtype = next(module.parameters()).dtype
    size = (steps, *batch, module.input_size)
    return torch.randn(size, generator=generator, dtype=dtype)


@crossed(name=list(BUILT_IN), dtype=[torch.float32, torch.float64])
def test_every_cell_gives_its_own_bits(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = tt.nn.Recurrent(BUILT_IN[name], 3, 10, num_layers=2, dtype=dtype).eval()
    x = sequence(module, 6)
    with torch.no_grad():
        output, state = module(x)
    stream = module.stream()
    assert torch.equal(torch.stack([stream(step) for step in x]), output)
    assert type(stream.state) is type(state)
    for own, expected in zip(stream.state, state, strict=True):
        assert torch.equal(own, expected)
    stream.reset()
    arrays = np.stack([stream(step) for step in x.numpy()])
    assert np.array_equal(arrays, output.numpy())


@pytest.mark.parametrize("name", REGULARISED)
def test_random_values_are_at_their_means(name: str) -> None:
    module = tt.nn.Recurrent(REGULARISED[name](), 3, 4)
    stream = module.stream()  # in training mode, too
    x = sequence(module, 4)
    with torch.no_grad():
        output, _ = module.eval()(x)
    assert torch.equal(torch.stack([stream(step) for step in x]), output)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_size(sizes: tuple[int, int]) -> None:
    for batch in (1, 4):
        streamed_as_a_whole(*sizes, batch)


@pytest.mark.slow
@given(st.integers(1, 33), st.integers(1, 70), st.integers(1, 4))
def test_any_size_and_batch(features: int, hidden: int, batch: int) -> None:
    streamed_as_a_whole(features, hidden, batch)


def streamed_as_a_whole(features: int, hidden: int, batch: int) -> None:
    torch.manual_seed(hidden)
    module = tt.nn.Recurrent(tt.cells.GRU(), features, hidden)
    x = sequence(module, 3, batch)
    with torch.no_grad():
        output, _ = module(x)
    stream = module.stream(batch)
    assert torch.equal(torch.stack([stream(step) for step in x]), output)


@pytest.mark.parametrize("backend", ["llvm", "reference"])
def test_further_inputs_residual_layers_and_declared_starts(backend: str) -> None:
    module = tt.nn.Recurrent(
        Timed(), 4, 4, num_layers=3, residual=True, backend=backend, dtype=torch.float64
    )
    x, gaps = sequence(module, 5, 2), torch.rand(5, 2, 2, dtype=torch.float64)
    with torch.no_grad():
        output, _ = module(x, gap=gaps)
    stream = module.stream(2)
    steps = [stream(one, gap=gap) for one, gap in zip(x, gaps, strict=True)]
    torch.testing.assert_close(torch.stack(steps), output, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", [tt.nn.LSTM, tt.nn.GRU, tt.nn.RNN])
def test_torch_s_own_classes(kind: type) -> None:
    module = kind(3, 5, num_layers=2)
    x = sequence(module, 4)
    with torch.no_grad():
        output, _ = module(x)
    stream = module.stream()
    assert torch.equal(torch.stack([stream(step) for step in x]), output)


def test_state_is_saved_restored_and_no_part_of_the_stream() -> None:
    module = tt.nn.Recurrent(tt.cells.LSTM(), 3, 5, num_layers=2)
    x = sequence(module, 6)
    stream, other = module.stream(), module.stream()
    for step in x[:3]:
        stream(step)
    kept = pickle.loads(pickle.dumps(stream.state))
    before = copy.deepcopy(kept)
    first = [stream(step) for step in x[3:]]
    assert all(map(torch.equal, kept, before))
    other.state = kept
    assert all(map(torch.equal, first, (other(step) for step in x[3:])))
    with torch.no_grad():
        output, _ = module(x[3:], kept)  # the module takes it, too
    assert torch.equal(torch.stack(first), output)


def test_answers_are_their_own() -> None:
    module = tt.nn.Recurrent(tt.cells.Elman(), 3, 5)
    stream = module.stream()
    x = sequence(module, 2)
    first, array = stream(x[0]), stream(x[0].numpy())
    kept = first.clone(), array.copy()
    stream(x[1])
    assert torch.equal(first, kept[0])
    assert np.array_equal(array, kept[1])
    assert not first.requires_grad


def changed_in_place(module: tt.nn.Recurrent) -> None:
    with torch.no_grad():
        module.weight_ih_l0.mul_(2)


def changed_behind_autograd(module: tt.nn.Recurrent) -> None:
    module.weight_hh_l0.data = torch.ones_like(module.weight_hh_l0)


def replaced(module: tt.nn.Recurrent) -> None:
    module.bias_ih_l0 = torch.nn.Parameter(torch.ones(20))


def trained(module: tt.nn.Recurrent) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    module(sequence(module, 3))[0].sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    "change", [changed_in_place, changed_behind_autograd, replaced, trained]
)
def test_changed_weights_are_noticed(change: object) -> None:
    module = tt.nn.Recurrent(tt.cells.LSTM(), 3, 5)
    x = sequence(module, 2)
    stream = module.stream()
    stream(x[0])
    state = stream.state
    change(module)
    with torch.no_grad():
        output, _ = module(x[1:], state)
    assert torch.equal(stream(x[1]), output[0])


def test_a_module_that_moves_to_another_dtype() -> None:
    module = tt.nn.Recurrent(tt.cells.LSTM(), 3, 5)
    x = sequence(module, 2)
    stream = module.stream()
    stream(x[0])
    state = stream.state
    module.double()
    with torch.no_grad():
        output, _ = module(x[1:].double(), [one.double() for one in state])
    assert torch.equal(stream(x[1].double()), output[0])


def test_arrays_of_other_numbers_are_converted() -> None:
    module = tt.nn.Recurrent(tt.cells.Elman(), 3, 5)
    x = np.arange(3)
    answer = module.stream()(x)
    assert answer.dtype == np.float32
    assert np.array_equal(answer, module.stream()(x.astype(np.float32)))


def test_parametrised_weights() -> None:
    module = tt.nn.Recurrent(tt.cells.Elman(), 3, 5)
    torch.nn.utils.parametrizations.orthogonal(module, "weight_hh_l0")
    x = sequence(module, 2)
    with torch.no_grad():
        output, _ = module(x)
    stream = module.stream()
    assert torch.equal(torch.stack([stream(step) for step in x]), output)


def test_what_does_not_fit_is_refused() -> None:
    module = tt.nn.Recurrent(Timed(), 3, 4)
    stream = module.stream()
    x, gap = torch.zeros(3), torch.zeros(2)
    with pytest.raises(StreamMismatch, match=r"x .*\(4,\), expected \(3,\)"):
        stream(torch.zeros(4), gap=gap)
    with pytest.raises(StreamMismatch, match=r"\(1, 3\), expected \(3,\)"):
        stream(x[None], gap=gap)
    with pytest.raises(StreamMismatch, match=r"inputs .*none, expected gap"):
        stream(x)
    with pytest.raises(StreamMismatch, match="gap, y, expected gap"):
        stream(x, gap=gap, y=gap)
    with pytest.raises(DtypeMismatch):
        stream(x.double(), gap=gap)
    with pytest.raises(NotATensor):
        stream([0.0, 0.0, 0.0], gap=gap)
    with pytest.raises(StateCountMismatch):
        stream.state = [x, x]
    with pytest.raises(StreamMismatch, match=r"state.h .*\(3,\), expected \(1, 4\)"):
        stream.state = [x]
    two = tt.nn.Recurrent(tt.cells.Elman(), 3, 4, bidirectional=True)
    with pytest.raises(TwoDirections, match=r"stream\(\) was called"):
        two.stream()


def test_where_numpy_cannot_see_it_is_refused() -> None:
    module = tt.nn.Recurrent(tt.cells.GRU(), 3, 5)
    stream = module.stream()
    outputs = stream(torch.ones(3))
    state = stream.state
    with pytest.raises(StreamElsewhere, match=r"float32 on meta, .* module\.float\(\)"):
        tt.nn.LSTM(3, 5, device="meta").stream()
    module.to("meta")
    with pytest.raises(StreamElsewhere):
        stream(torch.ones(3))
    with pytest.raises(
        StreamElsewhere, match=r"bfloat16 on cpu, expected numbers that"
    ):
        tt.nn.Recurrent(tt.cells.GRU(), 3, 5, dtype=torch.bfloat16).stream()
    assert torch.equal(stream.state.h, state.h)
    assert torch.equal(outputs, stream.state.h[0])
