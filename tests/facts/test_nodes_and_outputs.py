"""Nodes, activation functions, outputs, and the shapes that answers come in."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import throughtime as tt
from tests.facts.judges import (
    EXACT,
    assert_exact,
    assert_gradient,
    assign,
    classes,
    differences,
    draw,
)

T, B, F, H, K = 5, 3, 3, 5, 4
LENGTHS = [5, 2, 4]


def elman_loop(module: tt.nn.Recurrent, x: Tensor) -> NDArray[np.float64]:
    """The hidden states (T, H) of one sequence, by NumPy, step by step."""
    named = {name: p.detach().numpy() for name, p in module.named_parameters()}
    hidden, states = np.zeros(module.hidden_size), []
    for step in x.numpy():
        a = named["weight_ih_l0"] @ step + named["bias_ih_l0"]
        hidden = np.tanh(a + named["weight_hh_l0"] @ hidden + named["bias_hh_l0"])
        states.append(hidden)
    return np.stack(states)


def softmax_of(head: tt.nn.Softmax, hidden: NDArray[np.float64]) -> NDArray[np.float64]:
    a = hidden @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    powers = np.exp(a)
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture
def network(backend: str) -> tuple[tt.nn.Recurrent, tt.nn.Softmax]:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"backend": backend, "dtype": torch.float64}
    return tt.nn.Recurrent(tt.cells.Elman(), F, H, **settings), tt.nn.Softmax(
        H, K, **settings
    )


def test_one_network_answers_every_step(
    network: tuple[tt.nn.Recurrent, tt.nn.Softmax],
) -> None:
    """Outputs and loss per step are those of a loop over sequences and steps."""
    module, head = network
    x, target = draw(T, B, F), classes(K, T, B)
    hidden, _ = module(x, lengths=LENGTHS)
    logits = head.logits(hidden)
    found = tt.nn.mean_loss(head.loss(logits, target), torch.tensor(LENGTHS))
    losses = []
    for row, length in enumerate(LENGTHS):
        outputs = softmax_of(head, elman_loop(module, x[:length, row]))
        assert_exact(head(hidden)[:length, row], torch.from_numpy(outputs))
        steps = [-math.log(y[k]) for y, k in zip(outputs, target[:, row], strict=False)]
        losses.append(sum(steps) / length)
    assert found.item() == pytest.approx(sum(losses) / B, abs=EXACT)


@pytest.mark.parametrize("how", ["last", "mean", "max"])
def test_one_network_answers_a_whole_sequence(
    network: tuple[tt.nn.Recurrent, tt.nn.Softmax], how: Any
) -> None:
    """One answer per sequence, from the last step or from all, is that of a loop."""
    module, head = network
    x, target = draw(T, B, F), classes(K, B)
    hidden, _ = module(x, lengths=LENGTHS)
    pooled = tt.nn.pool(hidden, torch.tensor(LENGTHS), how)
    found = tt.nn.mean_loss(head.loss(head.logits(pooled), target))
    losses = []
    for row, length in enumerate(LENGTHS):
        states = elman_loop(module, x[:length, row])
        alone = {"last": states[-1], "mean": states.mean(0), "max": states.max(0)}[how]
        outputs = softmax_of(head, alone)
        assert_exact(head(pooled)[row], torch.from_numpy(outputs))
        losses.append(-math.log(outputs[target[row]]))
    assert found.item() == pytest.approx(sum(losses) / B, abs=EXACT)


def test_one_network_predicts_the_next_step(
    network: tuple[tt.nn.Recurrent, tt.nn.Softmax],
) -> None:
    """The target of a step may be the symbol of the next one."""
    _, head = network
    symbols = classes(K, T, B)
    torch.manual_seed(1)
    module = tt.nn.Recurrent(
        tt.cells.Elman(), K, H, backend=head.backend, dtype=torch.float64
    )
    x = torch.nn.functional.one_hot(symbols, K).double()
    hidden, _ = module(x[:-1])
    found = tt.nn.mean_loss(head.loss(head.logits(hidden), symbols[1:]))
    total = 0.0
    for row in range(B):
        outputs = softmax_of(head, elman_loop(module, x[:, row]))
        total -= sum(math.log(outputs[t][symbols[t + 1, row]]) for t in range(T - 1))
    assert found.item() == pytest.approx(total / (B * (T - 1)), abs=EXACT)


def test_a_node_is_its_function_of_a_weighted_sum(backend: str) -> None:
    """Two inputs, two hidden sigmoids and one output, worked out by hand.

    With x = (1, 2) the hidden sums are ln 3 and −ln 3, so the nodes are 3/4 and 1/4;
    the output's sum is 3 ln 3 − 2 ln 3 + ln 3 = ln 9, so the output is 9/10.
    """
    log3 = math.log(3)
    settings: dict[str, Any] = {"backend": backend, "dtype": torch.float64}
    hidden = tt.nn.Recurrent(tt.cells.Feedforward("sigmoid"), 2, 2, **settings)
    output = tt.nn.Sigmoid(2, 1, **settings)
    assign(hidden, weight_l0=[[-log3, log3], [log3, -log3]], bias_l0=[0, 0])
    assign(output, weight=[[4 * log3, -8 * log3]], bias=[log3])
    nodes, _ = hidden(torch.tensor([[[1.0, 2.0]]], dtype=torch.float64))
    assert nodes.flatten().tolist() == pytest.approx([0.75, 0.25], abs=EXACT)
    assert output(nodes).item() == pytest.approx(0.9, abs=EXACT)


def through(activation: str, z: Tensor, backend: str) -> Tensor:
    """An activation function of every z, by a node of weight 1."""
    node = tt.nn.Recurrent(
        tt.cells.Feedforward(activation), 1, 1, backend=backend, dtype=torch.float64
    )
    assign(node, weight_l0=[[1]], bias_l0=[0])
    return node(z[:, None, None])[0].flatten()


def test_the_activation_functions_are_their_formulas(backend: str) -> None:
    """Sigmoid, tanh and ReLU; tanh z = 2 σ(2z) − 1; nothing overflows."""
    small = torch.linspace(-20, 20, 4001, dtype=torch.float64)
    sigmoid, tanh = (through(name, small, backend) for name in ("sigmoid", "tanh"))
    assert_exact(sigmoid, 1 / (1 + (-small).exp()))
    assert_exact(tanh, (small.exp() - (-small).exp()) / (small.exp() + (-small).exp()))
    doubled = 2 * through("sigmoid", 2 * small, backend) - 1
    assert (tanh - doubled).abs().max().item() <= 1e-15
    assert torch.equal(through("relu", small, backend), small.clamp(min=0))
    large = torch.linspace(-1e4, 1e4, 2001, dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("sigmoid", "tanh", "relu"):
            values = through(name, large, backend)
            (slopes,) = torch.autograd.grad(values.sum(), large)
            assert values.isfinite().all()
            assert slopes.isfinite().all()


def test_the_slopes_at_zero_are_a_quarter_and_one(backend: str) -> None:
    """σ′(0) = 1/4, tanh′(0) = 1, and ReLU′(0) = 0, exactly."""
    for name, slope in (("sigmoid", 0.25), ("tanh", 1.0), ("relu", 0.0)):
        zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(through(name, zero, backend).sum(), zero)
        assert found.item() == slope


class SoftmaxNodes(tt.Cell):
    """A layer whose nodes share one."""

    weight = tt.Parameter("hidden", "input")

    def step(self, x: Any) -> Any:
        return tt.math.softmax(self.weight @ x)


def softmaxes(backend: str) -> list[Any]:
    """The output of a head, and the function of the cell language."""
    head = tt.nn.Softmax(K, K, backend=backend, dtype=torch.float64)
    layer = tt.nn.Recurrent(SoftmaxNodes(), K, K, backend=backend, dtype=torch.float64)
    assign(head, weight=torch.eye(K), bias=torch.zeros(K))
    assign(layer, weight_l0=torch.eye(K))
    return [head, lambda a: layer(a)[0]]


def test_softmax_is_a_distribution_that_only_differences_shape(backend: str) -> None:
    """It sums to 1, no shift changes it, and 1000 beside 0 gives no NaN."""
    a = 3 * draw(T, B, K)
    powers = a.exp()
    for softmax in softmaxes(backend):
        output = softmax(a)
        assert_exact(output, powers / powers.sum(-1, keepdim=True))
        assert_exact(output.sum(-1), torch.ones(T, B, dtype=torch.float64))
        assert_exact(softmax(a + 100), output)
        extreme = torch.zeros(1, 1, K, dtype=torch.float64)
        extreme[..., 0] = 1000
        assert softmax(extreme).flatten().tolist() == [1, 0, 0, 0]


def test_labels_do_not_know_each_other(backend: str) -> None:
    """Several labels: a sigmoid each; permuted columns give permuted outputs.

    The loss is computed from logits and finite where a probability rounds to 0 or 1.
    """
    torch.manual_seed(0)
    head = tt.nn.Sigmoid(H, K, backend=backend, dtype=torch.float64)
    hidden, target = draw(B, H), (draw(B, K, seed=1) > 0).double()
    logits = head.logits(hidden)
    p = 1 / (1 + (-logits).exp())
    entropies = -(target * p.log() + (1 - target) * (1 - p).log())
    assert_exact(head.loss(logits, target), entropies.sum(-1))
    order = torch.tensor([2, 0, 3, 1])
    shuffled = tt.nn.Sigmoid(H, K, backend=backend, dtype=torch.float64)
    assign(shuffled, weight=head.weight[order], bias=head.bias[order])
    assert torch.equal(shuffled(hidden), head(hidden)[:, order])
    extreme = torch.tensor([[1e3, -1e3, 1e3, -1e3]], dtype=torch.float64)
    wrong = torch.tensor([[0.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    assert head.loss(extreme, wrong).item() == 2000


@pytest.mark.parametrize("kind", ["Softmax", "Sigmoid", "Linear"])
def test_the_error_of_an_output_is_output_minus_target(backend: str, kind: str) -> None:
    """All three pairs of output and loss have the δ y − t, at the end of a network.

    Finite differences of the loss say so, and so does what the network's gradients
    receive: ∂L/∂b is the sum of these δ, ∂L/∂W that of their products with h.
    """
    torch.manual_seed(0)
    settings: dict[str, Any] = {"backend": backend, "dtype": torch.float64}
    module = tt.nn.Recurrent(tt.cells.Elman(), F, H, **settings)
    head = getattr(tt.nn, kind)(H, K, **settings)
    chosen = classes(K, T, B)
    as_output = torch.nn.functional.one_hot(chosen, K).double()
    if kind == "Linear":
        as_output = draw(T, B, K)
    target = chosen if kind == "Softmax" else as_output
    hidden, _ = module(draw(T, B, F, seed=1))
    logits = head.logits(hidden)
    delta = head(hidden) - as_output
    free = logits.detach().clone()
    slopes = differences(lambda: head.loss(free, target).sum(), free)
    assert_gradient(slopes, delta.detach())
    loss = head.loss(logits, target).sum()
    weight, bias = torch.autograd.grad(loss, [head.weight, head.bias])
    assert_exact(bias, delta.sum((0, 1)))
    assert_exact(weight, torch.einsum("tbk,tbh->kh", delta, hidden))


def test_half_squared_error_of_linear_nodes_finds_least_squares(backend: str) -> None:
    """Without a hidden layer, training ends where the normal equations do."""
    torch.manual_seed(0)
    module = tt.nn.Recurrent(
        tt.cells.Feedforward("identity"), F, K, backend=backend, dtype=torch.float64
    )
    x = draw(1, 40, F)
    y = x @ draw(F, K, seed=1) + 0.3 + 0.1 * draw(1, 40, K, seed=2)
    descent = torch.optim.SGD(module.parameters(), lr=0.5)
    for _ in range(200):
        descent.zero_grad()
        output, _ = module(x)
        ((output - y) ** 2).sum(-1).mean().div(2).backward()
        descent.step()
    with_one = torch.cat([x[0], torch.ones(40, 1, dtype=torch.float64)], 1)
    solution = torch.linalg.lstsq(with_one, y[0]).solution
    found = torch.cat([module.weight_l0.T, module.bias_l0[None]])
    assert (found - solution).abs().max().item() < 1e-6
