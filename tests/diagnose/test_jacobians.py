"""Jacobians of a step against autograd's, for every cell and form of input."""

import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev
from torch.nn.utils.rnn import pack_padded_sequence

from throughtime.cells import GRU, LSTM, Elman, Feedforward, LeakyElman, Zoneout
from throughtime.cells.built_in import BUILT_IN
from throughtime.diagnose import jacobians
from throughtime.diagnose.jacobians import jacobians_of
from throughtime.diagnose.trajectories import passages
from throughtime.errors import NothingCarried, NotLayers, StatesDiverged
from throughtime.graph import Cell, Input, Parameter, State, Value
from throughtime.nn import LSTM as TorchLSTM
from throughtime.nn import Recurrent, SparseSequences

RECURRENT = {name: cell for name, cell in BUILT_IN.items() if name != "feedforward"}
T, B, F, H = 4, 3, 2, 4
DOUBLE = torch.float64


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))


def built(cell: Cell, backend: str = "reference", **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    settings = {"dtype": DOUBLE, **settings}
    return Recurrent(cell, F, H, backend=backend, **settings)


def states_for(module: Recurrent, batch: int) -> list[Tensor]:
    runs = module.num_layers * module.directions
    return [drawn(runs, batch, one.size) for one in module.graphs[0].states]


def by_stepping(module: Recurrent, x: Tensor, start: list[Tensor]) -> Tensor:
    """The Jacobians of a layer alone, step after step and row after row."""
    sizes = [state.shape[-1] for state in start]
    rows = []
    for row in range(x.shape[1]):
        state, found = torch.cat([one[0, row] for one in start]), []
        for step in x[:, row]:

            def move(joint: Tensor, step: Tensor = step) -> Tensor:
                parts = [part[None, None] for part in joint.split(sizes)]
                _, after = module.step(step[None], parts)
                return torch.cat([value[0, 0] for value in after])

            found.append(jacrev(move)(state))
            state = move(state)
        rows.append(torch.stack(found))
    return torch.stack(rows, 1)


@pytest.mark.parametrize("name", RECURRENT)
def test_every_cell_against_autograd_of_its_step(backend: str, name: str) -> None:
    module = built(RECURRENT[name], backend)
    x, start = drawn(T, B, F), states_for(module, B)
    judge = built(RECURRENT[name])
    found = jacobians(module, x, start)[0, 0]
    size = sum(one.size for one in module.graphs[0].states)
    assert found.shape == (T, B, size, size)
    assert (found - by_stepping(judge, x, start)).abs().max() < 1e-10
    assert found.abs().max() > 0.01


FORMS: dict[str, dict[str, Any]] = {
    "stacked": {"num_layers": 2},
    "residual": {"num_layers": 3, "residual": True},
    "bidirectional": {"num_layers": 2, "bidirectional": True},
}


@pytest.mark.parametrize("cell", [LSTM(), GRU()], ids=repr)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lengths", [None, [2, 0, 4]], ids=["whole", "ragged"])
def test_their_product_is_the_derivative_of_the_last_states_by_the_first(
    backend: str, cell: Cell, form: str, lengths: list[int] | None
) -> None:
    module = built(cell, backend, **FORMS[form])
    x, start = drawn(T, B, F), states_for(module, B)
    found = jacobians(module, x, start, lengths=lengths)
    assert len(found) == module.num_layers * module.directions
    first = [value.requires_grad_() for value in start]
    _, final = module(x, first, lengths=lengths)
    for (layer, direction), own in found.items():
        run = layer * module.directions + direction
        product = torch.eye(own.shape[-1], dtype=DOUBLE).expand(B, -1, -1)
        for jacobian in own:
            product = jacobian @ product
        rows = [value[run].unbind(-1) for value in final]
        for unit, new in enumerate(value for row in rows for value in row):
            by = torch.autograd.grad(new.sum(), first, retain_graph=True)
            expected = torch.cat([one[run] for one in by], -1)
            assert (product[:, unit] - expected).abs().max() < 1e-10


def test_the_forms_of_the_input() -> None:
    module = built(LSTM(), "llvm", num_layers=2, bidirectional=True)
    x, start, lengths = drawn(T, B, F), states_for(module, B), [4, 3, 1]
    expected = jacobians(module, x, start, lengths=lengths)
    packed = pack_padded_sequence(x, lengths)
    alone = jacobians(module, x[:, 0], [value[:, 0] for value in start])
    first = built(LSTM(), num_layers=2, bidirectional=True, batch_first=True)
    swapped = jacobians(first, x.transpose(0, 1), start, lengths=lengths)
    rows = jacobians(module, packed, start)
    for place, own in expected.items():
        assert torch.allclose(swapped[place], own, atol=1e-12)
        assert torch.allclose(rows[place], own, atol=1e-12)
        assert torch.allclose(alone[place][:, 0], own[:, 0], atol=1e-12)


def test_modules_of_torch_and_whole_models() -> None:
    torch.manual_seed(0)
    own = TorchLSTM(F, H, dtype=DOUBLE)
    same = built(LSTM())
    same.load_state_dict(own.state_dict())
    x = drawn(T, B, F)
    assert torch.allclose(jacobians(own, x)[0, 0], jacobians(same, x)[0, 0])
    with pytest.raises(NotLayers, match="Sequential, expected a recurrent module"):
        jacobians(nn.Sequential(own), x)  # type: ignore[bad-argument-type]


def test_sparse_input_is_that_of_a_dense_twin() -> None:
    module = built(GRU(), "llvm", sparse_input=True, bidirectional=True)
    twin = built(GRU(), bidirectional=True)
    twin.load_state_dict(module.state_dict())
    steps = [[[0], [1, 1], []], [[1]]]
    dense = torch.zeros(3, 2, F, dtype=DOUBLE)
    dense[0, 0, 0], dense[1, 0, 1], dense[0, 1, 1] = 1, 2, 1
    found = jacobians(module, SparseSequences.of(steps, F))
    for place, own in jacobians(twin, dense, lengths=[3, 1]).items():
        assert torch.allclose(found[place], own, atol=1e-12)


def test_the_result_is_exact_whatever_the_numbers_of_the_module() -> None:
    module = built(GRU(), "auto", dtype=torch.float32)
    x = drawn(T, B, F)
    found = jacobians(module, x.float())[0, 0]
    expected = jacobians(module.double(), x.float().double())[0, 0]
    assert found.dtype == DOUBLE and torch.equal(found, expected)
    rough = jacobians(module, x, dtype=torch.float32)[0, 0]
    assert rough.dtype == torch.float32
    assert 0 < (rough - expected).abs().max() < 1e-5


def test_randomness_is_at_its_mean_and_the_module_stays_as_it_is() -> None:
    module = built(Zoneout(Elman(), h=0.25), "llvm").train()
    plain = built(Elman())
    plain.load_state_dict(module.state_dict())
    x = drawn(1, B, F)
    kept = 0.25 * torch.eye(H, dtype=DOUBLE)
    expected = 0.75 * jacobians(plain, x)[0, 0] + kept
    assert torch.allclose(jacobians(module, x)[0, 0], expected, atol=1e-12)
    assert module.training
    assert all(one.requires_grad and one.grad is None for one in module.parameters())


class Gated(Cell):
    """A state that a further input keeps, and one that follows from x alone."""

    weight = Parameter("hidden", "input")
    keep = Input("hidden")
    h = State("hidden", init="learned")
    last = State("hidden")

    def step(self, x: Value, h: Value, last: Value, keep: Value) -> tuple[Value, Value]:
        new = self.weight @ x
        return keep * h + new * last, new


def test_further_inputs_learned_starts_and_states_that_follow_from_the_input(
    backend: str,
) -> None:
    module = built(Gated(), backend)
    with torch.no_grad():
        module.h_init_l0.copy_(drawn(H))  # type: ignore[not-callable]
    x, keep = drawn(T, B, F), drawn(T, B, H)
    found = jacobians(module, x, keep=keep)[0, 0]
    new = x @ module.weight_l0.T  # type: ignore[unsupported-operation]
    assert torch.allclose(found[..., :H, :H], torch.diag_embed(keep))
    assert torch.allclose(found[..., :H, H:], torch.diag_embed(new))
    assert (found[..., H:, :] == 0).all()


def test_long_trajectories_are_looked_at_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, x = built(LSTM(), "llvm"), drawn(7, B, F)
    whole = jacobians(module, x)[0, 0]
    file = sys.modules["throughtime.diagnose.jacobians"]
    monkeypatch.setattr(file, "_ROWS", 2 * B * 2 * H)
    assert torch.allclose(jacobians(module, x)[0, 0], whole, atol=1e-15)


def test_gradients_flow_through_jacobians() -> None:
    module = built(LeakyElman(), "llvm").eval()
    x = drawn(T, 1, F)

    def total(weight: Tensor) -> Tensor:
        with torch.no_grad():
            module.weight_hh_l0.copy_(weight)  # type: ignore[not-callable]
        return jacobians(module, x)[0, 0].square().sum()

    weight = module.get_parameter("weight_hh_l0")
    (one,) = passages(module, x, None, None, {})
    (found,) = jacobians_of(one, differentiable=True)
    (gradient,) = torch.autograd.grad(found.square().sum(), weight)
    start, step = weight.detach().clone(), torch.zeros(H, H, dtype=DOUBLE)
    step[1, 2] = 1e-5
    slope = (total(start + step) - total(start - step)) / 2e-5
    assert abs(slope.item() - gradient[1, 2].item()) < 1e-7
    assert abs(slope.item()) > 1e-3


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(NothingCarried, match="Feedforward, which carries no state"):
        jacobians(built(Feedforward()), drawn(T, B, F))
    module = built(Elman("identity"), "llvm")
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").fill_(1e200)
    with pytest.raises(StatesDiverged, match="derivative of step 2 is not finite"):
        jacobians(module, drawn(6, B, F), [torch.ones(1, B, H, dtype=DOUBLE)])
