"""From sequences to outputs: the network and its heads against loops by hand."""

import math

import numpy as np
import pytest
import torch

from tests.compare import assert_close
from throughtime.cells import Elman, Feedforward
from throughtime.nn import Linear, Recurrent, Sigmoid, Softmax, pool
from throughtime.nn.heads import Head

T, B, F, H, K = 6, 3, 2, 4, 5
LENGTHS = [6, 1, 4]


def network_and_head(kind: type[Head]) -> tuple[Recurrent, Head]:
    torch.manual_seed(11)
    network = Recurrent(Elman(), F, H, dtype=torch.float64)
    return network, kind(H, K, dtype=torch.float64)


def by_hand(network: Recurrent, head: Head, sequence: np.ndarray) -> np.ndarray:
    """The logits of every step, by the textbook's loop."""
    w = {n: p.detach().numpy() for n, p in network.named_parameters()}
    u, c = head.weight.detach().numpy(), head.bias.detach().numpy()
    h, answers = np.zeros(H), []
    for x in sequence:
        a = w["weight_ih_l0"] @ x + w["bias_ih_l0"] + w["weight_hh_l0"] @ h
        h = np.tanh(a + w["bias_hh_l0"])
        answers.append((h, u @ h + c))
    return np.array([np.concatenate(pair) for pair in answers])


def output_by_hand(kind: type[Head], a: np.ndarray) -> np.ndarray:
    if kind is Softmax:
        return np.exp(a) / np.exp(a).sum(-1, keepdims=True)
    return 1 / (1 + np.exp(-a)) if kind is Sigmoid else a


def sequences() -> torch.Tensor:
    generator = torch.Generator().manual_seed(12)
    return torch.randn(T, B, F, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("kind", [Softmax, Sigmoid, Linear])
def test_one_answer_per_step_is_the_loop_by_hand(kind: type[Head]) -> None:
    network, head = network_and_head(kind)
    x = sequences()
    outputs = head(network(x, lengths=LENGTHS)[0])
    for row, length in enumerate(LENGTHS):
        logits = by_hand(network, head, x[:length, row].numpy())[:, H:]
        expected = torch.from_numpy(output_by_hand(kind, logits))
        assert_close(outputs[:length, row], expected)


@pytest.mark.parametrize("how", ["last", "mean", "max"])
def test_one_answer_per_sequence_is_the_loop_by_hand(how: str) -> None:
    network, head = network_and_head(Softmax)
    x = sequences()
    hidden = network(x, lengths=LENGTHS)[0]
    answers = head(pool(hidden, torch.tensor(LENGTHS), how))
    for row, length in enumerate(LENGTHS):
        states = by_hand(network, head, x[:length, row].numpy())[:, :H]
        pooled = {"last": states[-1], "mean": states.mean(0), "max": states.max(0)}[how]
        logits = head.weight.detach().numpy() @ pooled + head.bias.detach().numpy()
        expected = torch.from_numpy(output_by_hand(Softmax, logits))
        assert_close(answers[row], expected)


def test_the_next_step_is_answered_from_those_before_it() -> None:
    network, head = network_and_head(Linear)
    x = sequences()
    forecast = head(network(x[:-1])[0])
    changed = x.clone()
    changed[3] += 1
    again = head(network(changed[:-1])[0])
    assert torch.equal(forecast[:3], again[:3])
    assert (forecast[3:] != again[3:]).any(-1).all()


def test_a_network_of_2_2_and_1_units_is_what_a_pencil_gives() -> None:
    hidden = Recurrent(Feedforward("sigmoid"), 2, 2, dtype=torch.float64)
    output = Sigmoid(2, 1, dtype=torch.float64)
    with torch.no_grad():
        hidden.weight_l0.copy_(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
        hidden.bias_l0.copy_(torch.tensor([0.25, -1.0]))
        output.weight.copy_(torch.tensor([[2.0, -1.5]]))
        output.bias.fill_(0.1)
    x = torch.tensor([[[1.0, 2.0]]], dtype=torch.float64)

    def sigmoid(a: float) -> float:
        return 1 / (1 + math.exp(-a))

    first = sigmoid(1.0 * 1 - 2.0 * 2 + 0.25)
    second = sigmoid(0.5 * 1 + 3.0 * 2 - 1.0)
    expected = sigmoid(2.0 * first - 1.5 * second + 0.1)
    assert abs(output(hidden(x)[0]).item() - expected) < 1e-12
