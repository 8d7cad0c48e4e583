"""`watch`: what the backward pass reports of error and saturation."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from tests.compare import assert_close
from tests.covering import crossed
from tests.graph.random_cells import Choices, RandomCell, choices
from tests.nn.unrolled import unrolled
from throughtime import cells, errors
from throughtime.cells.built_in import BUILT_IN
from throughtime.graph import trace
from throughtime.nn import Recurrent, watch
from throughtime.nn.node_deltas import node_deltas
from throughtime.nn.watching import WatchedCall

RECURRENT = [name for name in BUILT_IN if name != "feedforward"]
LENGTHS = [7, 0, 3, 1]


def build(name: str = "lstm", **options: Any) -> Recurrent:
    torch.manual_seed(0)
    options = {"num_layers": 2, "dtype": torch.float64} | options
    return Recurrent(BUILT_IN[name], 3, 6, **options)


def sequences(steps: int = 7, batch: int = 4) -> Tensor:
    return torch.randn(steps, batch, 3, dtype=torch.float64)


def seen(module: Recurrent, x: Tensor, weights: Tensor, **call: Any) -> WatchedCall:
    with watch(module) as watching:
        output, _ = module(x, **call)
        (output * weights).sum().backward()
    (found,) = watching.calls
    return found


@crossed(name=RECURRENT, bidirectional=[False, True])
def test_norms_are_those_of_autograd(name: str, bidirectional: bool) -> None:
    module = build(name, bidirectional=bidirectional).eval()
    x = sequences()
    weights = torch.randn(7, 4, module(x)[0].shape[-1], dtype=torch.float64)
    found = seen(module, x, weights, lengths=LENGTHS)
    assert found.norms
    assert torch.equal(found.alive.sum(0), torch.tensor(LENGTHS))
    for row, length in enumerate(LENGTHS):
        if length:
            output, states = unrolled(module, x[:length, row])
            (output * weights[:length, row]).sum().backward()
        for place, norms in found.norms.items():
            assert (norms[length:, row] == 0).all()
            if length:
                own = torch.stack([_gradient(one).norm() for one in states[place]])
                assert_close(norms[:length, row], own, times=10)


def _gradient(value: Tensor) -> Tensor:
    return torch.zeros_like(value) if value.grad is None else value.grad


@given(choices=choices)
@settings(max_examples=8, deadline=None)
def test_norms_of_random_cells(choices: Choices) -> None:
    torch.manual_seed(1)
    graph = trace(RandomCell(choices), 3, 4)
    module = Recurrent.from_graphs([graph], dtype=torch.float64)
    x, d = sequences(5, 2), torch.randn(5, 2, 1, dtype=torch.float64)
    weights = torch.randn(5, 2, 4, dtype=torch.float64)
    found = seen(module, x, weights, d=d)
    deltas = node_deltas(module, x, weights, None, d=d)
    for (layer, direction, name), norms in found.norms.items():
        # δ of a state that a function gives is that of what the function takes.
        if not _ends_in_function(module, name):
            own = deltas[layer, direction, name].norm(dim=-1)
            assert_close(norms, own, times=10 * max(1.0, own.max().item()))


def _ends_in_function(module: Recurrent, name: str) -> bool:
    (graph,) = module.graphs
    places = dict(zip(module.state_names, graph.new_states, strict=True))
    return graph.nodes[places[name]].operation in {"tanh", "sigmoid", "relu"}


@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "layer-norm-lstm"])
def test_shares_of_saturated_units(name: str) -> None:
    module = build(name)
    with torch.no_grad():
        for weight in module.parameters():
            weight *= 6
    x = sequences()
    _, _, values = module(x, lengths=LENGTHS, return_all=True)
    found = seen(module, x, torch.ones(7, 4, 6).double(), lengths=LENGTHS)
    functions = found.functions()
    assert found.saturation.keys() == functions.keys()
    assert any((share > 0).any() for share in found.saturation.values())
    for place, share in found.saturation.items():
        value = values[place]
        slope = 1 - value**2 if functions[place] == "tanh" else 4 * value * (1 - value)
        own = (slope < 0.1).double().mean(-1) * found.alive
        assert_close(share, own)


@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "layer-norm-lstm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_keep_their_bits(name: str, dtype: torch.dtype) -> None:
    module = build(name, num_layers=1, dtype=dtype)
    x = sequences(9, 5).to(dtype)
    output, _ = module(x)
    alone = torch.autograd.grad(output.square().sum(), list(module.parameters()))
    with watch(module):
        watched, _ = module(x)
        watched.square().sum().backward()
    assert torch.equal(watched, output)
    for own, parameter in zip(alone, module.parameters(), strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, own)


def test_backends_agree() -> None:
    x, weights = sequences(), torch.randn(7, 4, 12, dtype=torch.float64)
    both = [
        seen(build(bidirectional=True, backend=backend), x, weights, lengths=LENGTHS)
        for backend in ("llvm", "reference")
    ]
    for place, norms in both[0].norms.items():
        assert_close(norms, both[1].norms[place])
    for place, share in both[0].saturation.items():
        assert_close(share, both[1].saturation[place])


@pytest.mark.parametrize(
    "options", [{"checkpoint": 2}, {"residual": True, "num_layers": 3}, {"heads": 2}]
)
def test_whatever_the_module_is(options: dict[str, Any]) -> None:
    module = build(**options)
    x, weights = sequences(), torch.randn(7, 4, 6, dtype=torch.float64)
    found = seen(module, x, weights)
    deltas = node_deltas(module, x, weights, None)
    for place, norms in found.norms.items():
        assert_close(norms, deltas[place].norm(dim=-1))


def test_resets_and_packed_sequences() -> None:
    module = build(num_layers=1)
    x, weights = sequences(), torch.randn(7, 4, 6, dtype=torch.float64)
    resets = torch.zeros(7, 4, dtype=torch.bool)
    resets[3, 1] = resets[5, 1] = resets[2, 3] = True
    found = seen(module, x, weights, resets=resets)
    deltas = node_deltas(module, x, weights, None, resets=resets)
    assert_close(found.norms[0, 0, "c"], deltas[0, 0, "c"].norm(dim=-1))
    lengths = torch.tensor([7, 5, 5, 2])
    padded = seen(module, x, torch.ones(7, 4, 6).double(), lengths=lengths)
    with watch(module) as watching:
        output, _ = module(pack_padded_sequence(x, lengths))
        output.data.sum().backward()
    assert torch.equal(watching.calls[0].alive, padded.alive)
    assert_close(watching.norms[0, 0, "h"], padded.norms[0, 0, "h"])


def test_each_call_reports_for_itself() -> None:
    model = nn.Sequential(build(num_layers=1))
    x = sequences()
    with watch(model) as watching:
        first, state = model[0](x)
        second, _ = model[0](x, state)
        second.sum().backward()
        with torch.no_grad():
            model(x)
    early, late = watching.calls
    assert (early.norms[0, 0, "c"][-1] > 0).all()
    assert_close(late.norms[0, 0, "c"], watching.norms[0, 0, "c"])
    assert first.requires_grad
    watching.forget()
    with pytest.raises(errors.NothingWatched, match="inside watch"):
        _ = watching.norms


def test_everything_else_can_be_asked_for_as_well() -> None:
    module = build(num_layers=1)
    x = sequences()
    with watch(module) as watching:
        _, _, values = module(x, return_all=True)
        values[0, 0, "c"][2].sum().backward()
    norms = watching.norms[0, 0, "c"]
    assert (norms[3:] == 0).all()
    assert_close(norms[2], torch.full((4,), 6**0.5, dtype=torch.float64))
    assert (norms[:2] > 0).all()


def test_second_derivatives_stay_what_they_are() -> None:
    module = build(num_layers=1)
    x = sequences(3, 2).requires_grad_()

    def twice() -> Tensor:
        output, _ = module(x)
        (slope,) = torch.autograd.grad(output.sum(), x, create_graph=True)
        (found,) = torch.autograd.grad(slope.square().sum(), x)
        return found

    alone = twice()
    with watch(module):
        assert_close(twice(), alone)


def test_what_cannot_be_watched() -> None:
    with pytest.raises(errors.NoRecurrentModule, match="convert"):
        watch(nn.LSTM(3, 4)).__enter__()
    several = nn.ModuleList([build(), build()])
    with pytest.raises(errors.SeveralRecurrentModules, match="one of 0, 1"):
        watch(several).__enter__()
    module = build()
    with watch(module) as watching:
        with pytest.raises(errors.WatchedTwice), watch(module):
            pass
        module(sequences())
        with pytest.raises(errors.NothingWatched):
            _ = watching.saturation
    assert module.watching is None


def test_a_cell_without_states_or_gates_has_nothing_to_report() -> None:
    torch.manual_seed(0)
    module = Recurrent(cells.Feedforward(), 3, 4)
    with watch(module) as watching:
        module(torch.randn(2, 2, 3))[0].sum().backward()
    assert watching.norms == watching.saturation == {}
