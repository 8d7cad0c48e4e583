"""Truncated backpropagation through time: what it is, and what it costs."""

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.facts.judges import RECURRENT, assert_exact, draw, gradients
from throughtime.bench import delayed_recall, influence_balancing
from throughtime.data.stream_batches import Chunk
from throughtime.train.truncation import TBPTT

T, B, F, H = 12, 3, 3, 5


def build(cell: tt.Cell, backend: str) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    return tt.nn.Recurrent(cell, F, H, 2, backend=backend, dtype=torch.float64)


def loss_of(output: Tensor, target: Any) -> Tensor:
    return (output - target).square().sum(-1) / 2


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
def test_truncated_at_the_whole_length_it_is_bptt(backend: str, cell: tt.Cell) -> None:
    module, x, y = build(cell, backend), draw(T, B, F), draw(T, B, H, seed=1)
    expected = gradients(loss_of(module(x)[0], y).sum(), module)
    for k1 in (1, 5, T):
        found = [torch.zeros_like(one) for one in module.parameters()]
        for window in TBPTT(module, k1, T).windows(Chunk(x, y)):
            loss = window.sum(loss_of(window.run(), window.targets))
            for own, slope in zip(found, gradients(loss, module), strict=True):
                own += slope
        for own, slope in zip(found, expected, strict=True):
            assert_exact(own, slope)


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
def test_a_window_is_bptt_with_the_state_before_it_detached(
    backend: str, cell: tt.Cell
) -> None:
    module, x, y = build(cell, backend), draw(T, B, F), draw(T, B, H, seed=1)
    k1, k2, end = 2, 5, 0
    for window in TBPTT(module, k1, k2).windows(Chunk(x, y)):
        end += k1
        first = max(end - k2, 0)
        found = gradients(window.sum(loss_of(window.run(), window.targets)), module)
        state = None
        if first:
            with torch.no_grad():
                _, state = module(x[:first])
        output, _ = module(x[first:end], state)
        loss = loss_of(output[-k1:], y[end - k1 : end]).sum()
        for own, slope in zip(found, gradients(loss, module), strict=True):
            assert_exact(own, slope)
    assert end == T


class Stored:
    """What a backward pass keeps, as long as it is kept."""

    def __init__(self, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.now = self.peak = 0

    def pack(self, tensor: Tensor) -> Any:
        held = _Held(tensor)
        if tensor.dim() == 3 and tensor.shape[-1] == self.hidden_size:
            self.now += len(tensor)
            self.peak = max(self.peak, self.now)
            weakref.finalize(held, self._let_go, len(tensor))
        return held

    def _let_go(self, steps: int) -> None:
        self.now -= steps


class _Held:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (4, 7), (1, 9), (10, 19)])
def test_no_more_than_k2_states_are_stored(k1: int, k2: int) -> None:
    """Of a compiled layer, whose stored outputs are its states, one a step."""
    hidden = 11
    module = tt.nn.Recurrent(tt.cells.Elman(), F, hidden, backend="llvm")
    chunk = Chunk(draw(60, B, F).float())
    stored = Stored(hidden)
    with torch.autograd.graph.saved_tensors_hooks(
        stored.pack, lambda held: held.tensor
    ):
        for window in TBPTT(module, k1, k2).windows(chunk):
            window.mean(window.run().sum(-1)).backward()
        assert stored.peak == k2
        assert stored.now == 0
        module(chunk.inputs)[0].sum().backward()
    assert stored.peak == 60


@pytest.mark.parametrize(("steps", "learned"), [(4, False), (5, True)])
def test_a_lag_of_five_is_learned_with_five_steps_and_not_with_four(
    steps: int, learned: bool
) -> None:
    accuracy = delayed_recall.learn(
        lambda module: TBPTT(module, 1, steps), 5, steps=700, learning_rate=0.02
    ).accuracy
    assert accuracy == 1.0 if learned else accuracy < 0.65


def test_below_41_steps_the_gradient_has_the_wrong_sign() -> None:
    """Of influence balancing, to which later steps are opposed to the first ones."""
    slopes = {k: influence_balancing.truncated_slope(k) for k in (1, 20, 40, 41, 90)}
    assert [slope > 0 for slope in slopes.values()] == [True, True, True, False, False]
    assert slopes[90] == pytest.approx(influence_balancing.WHOLE_SLOPE, abs=1e-4)
