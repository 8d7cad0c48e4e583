"""The flow penalty: by the paper's formula, and by dense Jacobians of autograd."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Elman,
    Feedforward,
    VariationalDropout,
    Zoneout,
)
from throughtime.cells.built_in import BUILT_IN
from throughtime.diagnose import FlowPenalty
from throughtime.errors import NoErrorFlowed, NothingFlows
from throughtime.nn import Recurrent

F, H, T, B = 3, 4, 6, 3
EXACT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}
RECURRENT = {name: cell for name, cell in BUILT_IN.items() if name != "feedforward"}
LENGTHS = [4, 0, 6]
RESETS = torch.zeros(T, B, dtype=torch.bool)
RESETS[2, 0] = RESETS[1, 2] = RESETS[5, 2] = True


def made(cell: tt.Cell, backend: str = "reference", **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, F, H, dtype=torch.float64, backend=backend, **options)


def drawn(*size: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*size, dtype=torch.float64, generator=generator)


def loss(output: Tensor) -> Tensor:
    return (output.pow(3) * drawn(*output.shape)).sum()


def penalty(module: Recurrent, x: Tensor, **how: Any) -> Tensor:
    flow = FlowPenalty(module)
    with flow:
        output, _ = module(x, **how)
    loss(output).backward()
    module.zero_grad()
    return flow.penalty()


def gradients(omega: Tensor, module: Recurrent) -> list[Tensor]:
    weights = list(module.parameters())
    found = torch.autograd.grad(omega.sum(), weights, materialize_grads=True)
    assert any(one.abs().max() > 1e-3 for one in found)
    return list(found)


def test_of_a_tanh_network_it_is_the_formula_of_the_paper() -> None:
    """With W_recᵀ diag(σ′), the derivative at the incoming activation of step k+1."""
    module, x = made(Elman(), "auto"), drawn(T, B, F)
    omega = penalty(module, x)
    w, u = module.weight_hh_l0, module.weight_ih_l0
    bias = module.bias_ih_l0 + module.bias_hh_l0
    h = [torch.zeros(B, H, dtype=torch.float64)]
    for t in range(T):
        h.append(torch.tanh(x[t] @ u.T + h[-1] @ w.T + bias))
    errors = torch.autograd.grad(loss(torch.stack(h[1:])), h[1:])
    expected = torch.zeros(B, dtype=torch.float64)
    for k, error in enumerate(errors):
        activation = x[k] @ u.T + h[k].detach() @ w.T + bias
        back = (error * (1 - torch.tanh(activation) ** 2)) @ w
        expected = expected + (back.norm(dim=1) / error.norm(dim=1) - 1) ** 2 / T
    torch.testing.assert_close(omega, expected, **EXACT)
    torch.testing.assert_close(
        gradients(omega, module), gradients(expected, module), **EXACT
    )


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.0, 1.5])
def test_in_a_linear_network_of_one_scale_all_errors_grow_by_it(scale: float) -> None:
    module = made(Elman("identity"))
    with torch.no_grad():
        module.weight_hh_l0.copy_(scale * torch.linalg.qr(drawn(H, H))[0])
    expected = torch.full((B,), (scale - 1) ** 2, dtype=torch.float64)
    torch.testing.assert_close(penalty(module, drawn(T, B, F)), expected, **EXACT)


def single(cell: tt.Cell, module: Recurrent, layer: int, direction: int) -> Any:
    """One step of a layer in one direction: `(x (n,), states) -> output, states`."""
    width = F if not layer else module.graphs[0].output_size * module.directions
    alone = Recurrent(cell, width, H, dtype=torch.float64, backend="reference")
    end = f"_l{layer}{'_reverse' if direction else ''}"
    names = [name.removesuffix("_l0") for name, _ in alone.named_parameters()]
    weights = {f"{name}_l0": getattr(module, name + end) for name in names}

    def step(x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        given = x[None, None], tuple(state[None, None] for state in states)
        output, after = torch.func.functional_call(alone, weights, given)
        # Of its own, so that what flows back into it is what flows into the state.
        new = [value[0, 0].clone() for value in after]
        separate = alone.graphs[0].has_separate_output
        return output[0, 0] if separate else new[0], new

    return step


def omega_of(step: Any, x: Tensor, before: list[Tensor], errors: list[Any]) -> Tensor:
    """(‖δ J‖ / ‖δ‖ − 1)² of one step, J dense, row by row; -1 where δ is 0."""
    sizes = zip(errors, before, strict=True)
    error = torch.cat([torch.zeros_like(s) if e is None else e for e, s in sizes])
    if not error.any():
        return error.new_tensor(-1)
    before = [state.detach().requires_grad_() for state in before]
    _, after = step(x.detach(), before)
    rows = [
        torch.cat(
            torch.autograd.grad(
                one,
                before,
                create_graph=True,
                materialize_grads=True,
                retain_graph=True,
            )
        )
        for one in torch.cat(after)
    ]
    return ((error @ torch.stack(rows)).norm() / error.norm() - 1) ** 2


def by_hand(
    cell: tt.Cell,
    module: Recurrent,
    x: Tensor,
    lengths: list[int] | None = None,
    resets: Tensor | None = None,
) -> Tensor:
    """Ω of every sequence, step by step, one sequence after the other."""
    steps = {
        (layer, direction): single(cell, module, layer, direction)
        for layer in range(module.num_layers)
        for direction in range(module.directions)
    }
    marks = torch.zeros(T, B, dtype=torch.bool) if resets is None else resets
    taken: list[list[tuple[Any, Tensor, list[Tensor], list[Tensor]]]] = []
    outputs = torch.zeros(T, B, module.directions * module.graphs[-1].output_size)
    outputs = outputs.double()
    for row in range(B):
        length = T if lengths is None else lengths[row]
        value, noted = x[:length, row], []
        for layer in range(module.num_layers):
            ways = []
            for direction in range(module.directions):
                step, graph = steps[layer, direction], module.graphs[layer]
                first = [x.new_full((s.size,), s.number) for s in graph.states]
                states, found = first, {}
                for t in reversed(range(length)) if direction else range(length):
                    anew = marks[t + 1, row] if direction and t + 1 < length else False
                    if anew or (not direction and marks[t, row]):
                        states = first
                    before = states
                    found[t], states = step(value[t], before)
                    noted.append((step, value[t], before, states))
                ways.append([found[t] for t in range(length)])
            if length:
                value = torch.cat([torch.stack(way) for way in ways], -1)
        if length:
            outputs[:length, row] = value
        taken.append(noted)
    total = loss(outputs)
    omegas = []
    for noted in taken:
        ends = [state for *_, states in noted for state in states]
        errors = list(
            torch.autograd.grad(total, ends, allow_unused=True, retain_graph=True)
            if ends
            else []
        )
        each = []
        for step, value, before, states in noted:
            own = [errors.pop(0) for _ in states]
            each.append(omega_of(step, value, before, own))
        counted = [one for one in each if one >= 0]
        omegas.append(torch.stack(counted).mean() if counted else total.new_zeros(()))
    return torch.stack(omegas)


def compare(cell: tt.Cell, options: dict[str, Any], how: dict[str, Any]) -> None:
    module, x = made(cell, **options), drawn(T, B, F)
    omega = penalty(module, x, **how)
    expected = by_hand(cell, module, x, **how)
    torch.testing.assert_close(omega, expected, **EXACT)
    torch.testing.assert_close(
        gradients(omega, module), gradients(expected, module), **EXACT
    )


@pytest.mark.parametrize("name", RECURRENT)
def test_of_any_cell_it_is_that_of_dense_jacobians(name: str) -> None:
    compare(RECURRENT[name], {}, {})


@pytest.mark.parametrize(
    "name",
    [
        name if name == "elman" else pytest.param(name, marks=pytest.mark.slow)
        for name in RECURRENT
    ],
)
def test_compiled_too(name: str) -> None:
    compare(RECURRENT[name], {"backend": "llvm"}, {})


@pytest.mark.parametrize("cell", [LSTM(), GRU()], ids=["LSTM", "GRU"])
@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({"num_layers": 2}, {}),
        ({"bidirectional": True}, {"lengths": LENGTHS}),
        ({"num_layers": 2, "bidirectional": True}, {"lengths": LENGTHS}),
        ({"bidirectional": True}, {"lengths": LENGTHS, "resets": RESETS}),
        ({"bidirectional": True, "num_layers": 2}, {}),
        pytest.param(
            {"backend": "llvm", "bidirectional": True, "num_layers": 2},
            {"lengths": LENGTHS, "resets": RESETS},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_of_layers_directions_lengths_and_resets(
    cell: tt.Cell, options: dict[str, Any], how: dict[str, Any]
) -> None:
    compare(cell, options, how)


RANDOM: dict[str, tt.Cell] = {
    "zoneout": Zoneout(LSTM(), h=0.4, c=0.4),
    "connections": DropConnect(GRU(), 0.4),
    "vectors": VariationalDropout(GRU(), input=0.4, hidden=0.4),
    "all": Zoneout(VariationalDropout(DropConnect(LSTM(), 0.3), hidden=0.3), h=0.3),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize(
    "backend", [pytest.param("llvm", marks=pytest.mark.slow), "reference"]
)
def test_steps_are_run_again_with_what_they_have_drawn(name: str, backend: str) -> None:
    options = {"bidirectional": True, "num_layers": 2, "backend": backend}
    module, x = made(RANDOM[name], **options), drawn(T, B, F)
    flow = FlowPenalty(module)
    with flow:
        module(x, lengths=LENGTHS, resets=RESETS)
    calls = flow._recorder.calls
    assert len(calls) == 4
    for steps in calls:
        assert len(steps.sequences) == sum(LENGTHS)
        after = steps.again(steps.before)
        torch.testing.assert_close(after, list(steps.after), **EXACT)


@pytest.mark.parametrize("return_all", [False, True])
@pytest.mark.parametrize("name", [*RECURRENT, "all"])
def test_what_a_module_gives_is_the_same_when_it_is_noted(
    name: str, return_all: bool
) -> None:
    module, x = made({**RECURRENT, **RANDOM}[name]), drawn(T, B, F)
    found, flow = [], FlowPenalty(module)
    for noted in (False, True):
        torch.manual_seed(2)
        if noted:
            with flow:
                output, state, *values = module(x, return_all=return_all)
        else:
            output, state, *values = module(x, return_all=return_all)
        values = values[0] if values else {}
        total = loss(output) + sum(value.square().sum() for value in values.values())
        weights = list(module.parameters())
        learned = torch.autograd.grad(total, weights, materialize_grads=True)
        found.append((output, tuple(state), values, learned))
    torch.testing.assert_close(found[1], found[0], **EXACT)
    assert module.recorder is None


def test_error_through_a_value_that_is_given_out_reaches_the_state() -> None:
    module, x = made(Elman()), drawn(T, B, F)
    omegas = []
    for return_all in (False, True):
        flow = FlowPenalty(module)
        with flow:
            output, _, *values = module(x, return_all=return_all)
        loss(values[0][0, 0, "h"] if values else output).backward()
        omegas.append(flow.penalty())
    torch.testing.assert_close(omegas[1], omegas[0], **EXACT)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_it_does_not_depend_on_how_large_the_error_is(scale: float) -> None:
    module, x = made(LSTM()).float(), drawn(T, B, F).float()
    flow = FlowPenalty(module)
    with flow:
        output, _ = module(x)
    (output[-1].sum() * scale).backward()
    expected = penalty_of_last(module, x)
    torch.testing.assert_close(flow.penalty(), expected, rtol=1e-4, atol=1e-5)


def penalty_of_last(module: Recurrent, x: Tensor) -> Tensor:
    flow = FlowPenalty(module)
    with flow:
        output, _ = module(x)
    output[-1].sum().backward()
    return flow.penalty()


def test_steps_that_no_error_reaches_do_not_count() -> None:
    module, x = made(GRU()), drawn(T, B, F)
    flow = FlowPenalty(module)
    with flow:
        output, _ = module(x)
    (output[2, 0].sum() + output[-1, 1].sum()).backward()
    found = flow.penalty()
    assert found[2] == 0
    torch.testing.assert_close(found[0], penalty_of_last(module, x[:3])[0], **EXACT)
    torch.testing.assert_close(found[1], penalty_of_last(module, x)[1], **EXACT)


def test_calls_that_go_on_with_the_state_are_one_sequence() -> None:
    module, x = made(LSTM(), num_layers=2), drawn(T, B, F)
    flow = FlowPenalty(module)
    with flow:
        first, state = module(x[:2])
        second, _ = module(x[2:], state)
    loss(torch.cat([first, second])).backward()
    torch.testing.assert_close(flow.penalty(), penalty(module, x), **EXACT)


def test_checkpoints_and_torch_packed_sequences() -> None:
    x = drawn(T, B, F)
    whole = penalty(made(LSTM()), x)
    for spacing in (2, "sqrt"):
        found = penalty(made(LSTM(), checkpoint=spacing), x)
        torch.testing.assert_close(found, whole, **EXACT)
    given = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor([6, 5, 2]))
    module = made(LSTM(), bidirectional=True)
    flow = FlowPenalty(module)
    with flow:
        output, _ = module(given)
    output.data.sum().backward()
    packed = flow.penalty()
    with flow:
        output, _ = module(x, lengths=[6, 5, 2])
    output.sum().backward()
    torch.testing.assert_close(packed, flow.penalty(), **EXACT)


def test_descent_along_it_alone_lets_error_keep_its_size() -> None:
    module, x = made(Elman()), drawn(30, B, F)
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    omegas = []
    for _ in range(60):
        omega = penalty(module, x).mean()
        omegas.append(omega.item())
        optimizer.zero_grad()
        omega.backward()
        optimizer.step()
    assert omegas[0] > 0.2
    assert omegas[-1] < omegas[0] / 20


def test_what_has_no_state_or_no_error_is_refused() -> None:
    with pytest.raises(NothingFlows, match="cell Feedforward has no state, expected"):
        FlowPenalty(made(Feedforward()))
    module, x = made(GRU()), drawn(T, B, F)
    flow = FlowPenalty(module)
    with pytest.raises(NoErrorFlowed, match="no call that error has flowed back"):
        flow.penalty()
    with flow:
        outputs = [module(x)[0], module(x[:, :2])[0]]
    with pytest.raises(NoErrorFlowed, match="backward"):
        flow.penalty()
    with flow:
        outputs = [module(x)[0], module(x[:, :2])[0]]
    sum(one.sum() for one in outputs).backward()
    with pytest.raises(NoErrorFlowed, match="batches of 2 and 3 sequences, expected"):
        flow.penalty()


@pytest.mark.parametrize("cell", [LSTM(), RANDOM["all"]], ids=["LSTM", "random"])
def test_error_is_watched_and_penalised_at_once(cell: tt.Cell) -> None:
    module, x = made(cell), drawn(T, B, F)
    flow, found = FlowPenalty(module), []
    for both in (False, True):
        torch.manual_seed(2)
        with flow, tt.nn.watch(module) if both else nullcontext() as watching:
            output, _ = module(x, lengths=LENGTHS)
            loss(output).backward()
        omega = flow.penalty()
        found.append((omega, gradients(omega, module)))
    torch.testing.assert_close(found[1], found[0], **EXACT)
    torch.manual_seed(2)
    with tt.nn.watch(module) as alone:
        loss(module(x, lengths=LENGTHS)[0]).backward()
    assert watching is not None
    torch.testing.assert_close(watching.norms, alone.norms, **EXACT)


def test_nothing_is_noted_without_gradients() -> None:
    module, x = made(GRU()), drawn(T, B, F)
    flow = FlowPenalty(module)
    with flow, torch.no_grad():
        noted, _ = module(x)
    assert flow._recorder.calls == []
    assert torch.equal(noted, module(x)[0])
