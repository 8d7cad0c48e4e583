"""Unfolding, backpropagation through time, and what becomes of errors on the way."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.covering import crossed
from tests.facts.judges import (
    RECURRENT,
    assert_exact,
    assert_gradient,
    assign,
    classes,
    differences,
    draw,
    gradients,
)

B, F, H, K = 2, 3, 5, 4


def build(cell: tt.Cell, backend: str, **settings: Any) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    return tt.nn.Recurrent(cell, F, H, backend=backend, dtype=torch.float64, **settings)


def test_the_unfolded_network_has_a_layer_per_step_and_shared_weights(
    backend: str,
) -> None:
    """T feedforward layers with copies of one weight are the recurrent network.

    Outputs are equal, and the gradients of the copies sum to those of backpropagation
    through time.
    """
    steps = 6
    module = build(tt.cells.Elman(), backend)
    x, weigh = draw(steps, B, F), draw(steps, B, H, seed=1)
    copies = [
        [parameter.detach().clone().requires_grad_() for parameter in layer]
        for layer in [list(module.parameters())] * steps
    ]
    below, layers = torch.zeros(B, H, dtype=torch.float64), []
    for t, (w_x, w_h, b, c) in enumerate(copies):
        below = torch.tanh(x[t] @ w_x.T + b + below @ w_h.T + c)
        layers.append(below)
    unfolded = torch.stack(layers)
    output, _ = module(x)
    assert_exact(output, unfolded)
    (unfolded * weigh).sum().backward()
    for place, slope in enumerate(gradients((output * weigh).sum(), module)):
        own = [layer[place].grad for layer in copies]
        assert all(one is not None and one.any() for one in own[1:])
        assert_exact(slope, sum(one for one in own if one is not None))


@pytest.mark.parametrize("steps", [1, 2, 7, 30])
def test_the_equations_of_backpropagation_through_time(
    backend: str, steps: int
) -> None:
    """δ_t = l′(a_t) (W_yᵀ δy_t + W_hᵀ δ_{t+1}), and weight gradients as their sums.

    ∂L/∂W_h = Σ_t δ_t h_{t−1}ᵀ and ∂L/∂W_x = Σ_t δ_t x_tᵀ, by a loop from the end.
    """
    module = build(tt.cells.Elman(), backend)
    head = tt.nn.Softmax(H, K, backend=backend, dtype=torch.float64)
    x, start, target = draw(steps, B, F), draw(1, B, H, seed=1), classes(K, steps, B)
    hidden, _ = module(x, start)
    error = head(hidden) - torch.nn.functional.one_hot(target, K)
    w_h, delta, deltas = module.weight_hh_l0, torch.zeros_like(start[0]), []
    for t in reversed(range(steps)):
        delta = (1 - hidden[t] ** 2) * (error[t] @ head.weight + delta @ w_h)
        deltas.insert(0, delta)
    expected = torch.stack(deltas).detach()
    found = tt.explain(module).deltas(x, (error @ head.weight).detach(), start)
    assert_exact(found[0, 0, "a"], expected)
    before = torch.cat([start, hidden[:-1]])
    loss = head.loss(head.logits(hidden), target).sum()
    slopes = gradients(loss, module)
    assert_exact(slopes[0], torch.einsum("tbi,tbj->ij", expected, x))
    assert_exact(slopes[1], torch.einsum("tbi,tbj->ij", expected, before))
    assert_exact(slopes[2], expected.sum((0, 1)))


@crossed(cell=RECURRENT, steps=[1, 2, 7, 30])
def test_gradients_are_slopes(backend: str, cell: tt.Cell, steps: int) -> None:
    """Of every parameter, the input and the initial states, against differences."""
    module = build(cell, backend)
    head = tt.nn.Softmax(H, K, backend=backend, dtype=torch.float64)
    target, x = classes(K, steps, 1), draw(steps, 1, F).requires_grad_()
    states = [
        draw(1, 1, H, seed=k).requires_grad_() for k, _ in enumerate(module.state_names)
    ]

    def loss() -> Tensor:
        return head.loss(head.logits(module(x, states)[0]), target).mean()

    leaves = [*module.parameters(), *head.parameters(), x, *states]
    for leaf, slope in zip(leaves, torch.autograd.grad(loss(), leaves), strict=True):
        some = torch.randperm(leaf.numel())[:4]
        found = differences(loss, leaf.detach(), some)
        assert_gradient(found, slope.flatten()[some])


def forward_mode(
    module: tt.nn.Recurrent, x: Tensor, weigh: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Real-time recurrent learning: the influence of every weight, carried forward.

    P_t = ∂s_t/∂s_{t−1} P_{t−1} + ∂s_t/∂θ, from the derivatives of one step alone.
    """
    names = [name for name, _ in module.named_parameters()]
    weights = [parameter.detach() for parameter in module.parameters()]
    sizes = [H] * len(module.state_names)

    def step(vector: Tensor, *given: Tensor) -> Tensor:
        states = [piece.view(1, 1, -1) for piece in vector.split(sizes)]
        chosen = dict(zip(names, given, strict=True))
        arguments = (x[t : t + 1, None], states)
        _, after = torch.func.functional_call(module, chosen, arguments)
        return torch.cat([state.flatten() for state in after])

    state = torch.zeros(sum(sizes), dtype=torch.float64)
    influence = [state.new_zeros((*state.shape, *w.shape)) for w in weights]
    total = [torch.zeros_like(w) for w in weights]
    for t in range(x.shape[0]):
        through, *direct = torch.autograd.functional.jacobian(step, (state, *weights))
        influence = [
            torch.tensordot(through, before, 1) + own
            for before, own in zip(influence, direct, strict=True)
        ]
        state = step(state, *weights)
        # The first state is the output.
        for slope, reached in zip(total, influence, strict=True):
            slope += torch.tensordot(weigh[t], reached[:H], 1)
    return state, total


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
def test_forward_mode_agrees_with_backpropagation(backend: str, cell: tt.Cell) -> None:
    """Exact real-time recurrent learning gives the same gradients, step by step."""
    module = build(cell, backend)
    x, weigh = draw(12, F), draw(12, H, seed=1)
    state, expected = forward_mode(build(cell, "reference"), x, weigh)
    output, final = module(x)
    assert_exact(torch.cat([value.flatten() for value in final]), state)
    found = gradients((output * weigh).sum(), module)
    for slope, judge in zip(found, expected, strict=True):
        torch.testing.assert_close(slope, judge, rtol=1e-10, atol=1e-10)


# ∂h_T/∂h_0 of one unit without input, from h_0 = 0.5, for T = 10, 50 and 100.
ONE_UNIT = [
    ("relu", 0.9, ["3.487e-01", "5.154e-03", "2.656e-05"]),
    ("relu", 1.0, ["1.000e+00", "1.000e+00", "1.000e+00"]),
    ("relu", 1.1, ["2.594e+00", "1.174e+02", "1.378e+04"]),
    ("relu", 4.0, ["1.049e+06", "1.268e+30", "1.607e+60"]),
    ("tanh", 1.0, ["2.228e-01", "3.396e-02", "1.306e-02"]),
    ("tanh", 0.9, ["1.665e-01", "2.277e-03", "1.174e-05"]),
    ("tanh", 1.1, ["1.426e-01", "5.560e-05", "3.036e-09"]),
    ("sigmoid", 1.0, ["3.483e-07", "4.040e-33", "1.538e-65"]),
    ("sigmoid", 4.0, ["5.486e-11", "1.005e-55", "1.205e-111"]),
]


def error_through_one_unit(
    activation: str, weight: float, steps: int, backend: str
) -> float:
    """∂h_T/∂h_0 of a single recurrent unit whose input is zero."""
    unit = tt.nn.Recurrent(
        tt.cells.Elman(activation), 1, 1, backend=backend, dtype=torch.float64
    )
    assign(unit, weight_ih_l0=[[1]], weight_hh_l0=[[weight]])
    assign(unit, bias_ih_l0=[0], bias_hh_l0=[0])
    start = torch.full((1, 1, 1), 0.5, dtype=torch.float64, requires_grad=True)
    _, final = unit(torch.zeros(steps, 1, 1, dtype=torch.float64), start)
    (slope,) = torch.autograd.grad(final.h.sum(), start)
    return slope.item()


@pytest.mark.parametrize(("activation", "weight", "printed"), ONE_UNIT)
def test_errors_vanish_or_explode_with_the_weight_and_the_slope(
    backend: str, activation: str, weight: float, printed: list[str]
) -> None:
    """Π_t w l′(a_t): ReLU by |w| alone, sigmoid vanishes whatever the weight."""
    found = [
        error_through_one_unit(activation, weight, steps, backend)
        for steps in (10, 50, 100)
    ]
    assert [f"{value:.3e}" for value in found] == printed
    if activation == "relu":
        assert found == pytest.approx([weight**t for t in (10, 50, 100)], rel=1e-12)
    if activation == "sigmoid":
        for value, steps in zip(found, (10, 50, 100), strict=True):
            assert value <= (weight / 4) ** steps


@pytest.mark.parametrize("weight", [-1.3, -0.7, 0.5, 1.0, 2.0])
def test_a_linear_unit_multiplies_errors_by_its_weight(
    backend: str, weight: float
) -> None:
    """∂h_T/∂h_0 = w^T exactly, sign included."""
    for steps in (1, 10, 100):
        found = error_through_one_unit("identity", weight, steps, backend)
        assert found == pytest.approx(weight**steps, rel=1e-12)


def gated(backend: str, input_gate: float, forget_gate: float) -> tt.nn.Recurrent:
    """An LSTM with the sums of two gates fixed; candidate and output gate are free."""
    module = build(tt.cells.LSTM(), backend)
    sums = torch.tensor([input_gate, forget_gate, 0, 0], dtype=torch.float64)
    bias = sums.repeat_interleave(H)
    fixed = torch.arange(4 * H) < 2 * H
    with torch.no_grad():
        for weight in (module.weight_ih_l0, module.weight_hh_l0):
            weight[fixed] = 0
    assign(module, bias_ih_l0=bias, bias_hh_l0=torch.zeros(4 * H))
    return module


def carried(module: tt.nn.Recurrent, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """First and last internal state, and ∂c_T/∂c_0, ``(H, H)``."""
    x, start = draw(steps, 1, F), draw(1, 1, H, seed=1).requires_grad_()
    _, final = module(x, (torch.zeros_like(start), start))
    rows = [
        torch.autograd.grad(final.c[0, 0, unit], start, retain_graph=True)[0].flatten()
        for unit in range(H)
    ]
    return start.detach(), final.c.detach(), torch.stack(rows)


@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_open_forget_gates_carry_state_and_error_unchanged(
    backend: str, steps: int
) -> None:
    """The carousel of constant error: with f = 1 and i = 0, ∂c_T/∂c_0 is exactly I."""
    start, end, jacobian = carried(gated(backend, -1e4, 1e4), steps)
    assert torch.equal(end, start)
    assert torch.equal(jacobian, torch.eye(H, dtype=torch.float64))


@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_a_constant_forget_gate_shrinks_the_error_by_its_power(
    backend: str, steps: int
) -> None:
    """With constant f and i = 0, state and error shrink by f^T."""
    f = 0.99
    module = gated(backend, -1e4, math.log(f / (1 - f)))
    start, end, jacobian = carried(module, steps)
    expected = f**steps * torch.eye(H, dtype=torch.float64)
    # Each step's rounding adds to the relative error.
    close = {"rtol": 1e-15 * steps + 1e-14, "atol": 0}
    torch.testing.assert_close(jacobian, expected, **close)
    torch.testing.assert_close(end, f**steps * start, **close)
