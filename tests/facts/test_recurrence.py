"""Networks with recurrent edges: what one step knows, streams, unequal lengths."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import throughtime as tt
from tests.facts.judges import RECURRENT, assert_exact, classes, draw, gradients

T, B, F, H, K = 7, 4, 3, 5, 4


def build(cell: tt.Cell, backend: str, **settings: Any) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    return tt.nn.Recurrent(cell, F, H, backend=backend, dtype=torch.float64, **settings)


@pytest.mark.parametrize("start", ["zeros", "given"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_the_simple_recurrent_network_is_six_lines(
    backend: str, activation: str, start: str
) -> None:
    """h_t = l(W_x x_t + W_h h_{t−1} + b), softmax of W_y h_t + b_y at every step."""
    module = build(tt.cells.Elman(activation), backend)
    head = tt.nn.Softmax(H, K, backend=backend, dtype=torch.float64)
    x = draw(T, B, F)
    h = torch.zeros(1, B, H, dtype=torch.float64) if start == "zeros" else draw(1, B, H)
    output, state = module(x, None if start == "zeros" else h)
    w_x, w_h, b, c = (parameter for _, parameter in module.named_parameters())
    hidden = []
    for t in range(T):
        h = getattr(torch, activation)(x[t] @ w_x.T + h @ w_h.T + b + c)
        hidden.append(h[0])
    outputs = torch.softmax(torch.stack(hidden) @ head.weight.T + head.bias, -1)
    assert_exact(output, torch.stack(hidden))
    assert_exact(state.h, h)
    assert_exact(head(output), outputs)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_the_simple_recurrent_network_is_torchs(
    backend: str, nonlinearity: str
) -> None:
    """Two layers with copied weights give `torch.nn.RNN`'s output and gradients."""
    module = build(tt.cells.Elman(nonlinearity), backend, num_layers=2)
    judge = nn.RNN(F, H, 2, nonlinearity, dtype=torch.float64)
    judge.load_state_dict(module.state_dict())
    x, h = draw(T, B, F), draw(2, B, H, seed=1)
    output, state = module(x, h)
    expected, final = judge(x, h)
    assert_exact(output, expected)
    assert_exact(state.h, final)
    slopes = dict(
        zip(
            [name for name, _ in judge.named_parameters()],
            gradients(expected.square().sum(), judge),
            strict=True,
        )
    )
    found = gradients(output.square().sum(), module)
    for (name, _), slope in zip(module.named_parameters(), found, strict=True):
        assert_exact(slope, slopes[name])


def steps_that_change(module: tt.nn.Recurrent, changed: int) -> list[bool]:
    """At which steps the output changes, to the bit, if x does at one step."""
    x = draw(T, B, F)
    before, _ = module(x)
    x[changed] += 0.1
    after, _ = module(x)
    return [not torch.equal(before[t], after[t]) for t in range(T)]


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
@pytest.mark.parametrize("changed", [0, 3, T - 1])
def test_an_input_reaches_its_own_step_and_later_ones_alone(
    backend: str, cell: tt.Cell, changed: int
) -> None:
    """Not one bit of an earlier output changes; each later one does.

    Of two directions this is untrue, and the same comparison sees it.
    """
    module = build(cell, backend, num_layers=2)
    assert steps_that_change(module, changed) == [t >= changed for t in range(T)]
    both = build(cell, backend, bidirectional=True)
    assert steps_that_change(both, changed) == [True] * T


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
@torch.no_grad()
def test_one_element_at_a_time(backend: str, cell: tt.Cell) -> None:
    """Steps one by one, each from the state before, give the batch's outputs.

    Compiled, also their bits, through the output layer too; the products of PyTorch
    that the reference backend uses depend on the number of rows.
    """
    module = build(cell, backend, num_layers=2)
    head = tt.nn.Softmax(H, K, backend=backend, dtype=torch.float64)
    x = draw(T, B, F)
    hidden, final = module(x)
    whole, state, logits, steps = head.logits(hidden), None, [], []
    for t in range(T):
        output, state = module.step(x[t], state)
        steps.append(output)
        logits.append(head.logits(output))
    pairs = [(torch.stack(steps), hidden), (torch.stack(logits), whole)]
    pairs += zip(state, final, strict=True)
    for streamed, together in pairs:
        assert_exact(streamed, together)
        if backend == "llvm":
            assert torch.equal(streamed, together)


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
@torch.no_grad()
def test_a_state_can_be_stored_and_resumed(
    backend: str, cell: tt.Cell, tmp_path: Path
) -> None:
    """State and weights go through files; another module carries on where one ended."""
    module = build(cell, backend, num_layers=2)
    x = draw(T, B, F)
    whole, final = module(x)
    first, state = module(x[:3])
    torch.save({"state": state, "weights": module.state_dict()}, tmp_path / "stream")
    stored = torch.load(tmp_path / "stream")
    other = tt.nn.Recurrent(cell, F, H, 2, backend=backend, dtype=torch.float64)
    other.load_state_dict(stored["weights"])
    second, end = other(x[3:], stored["state"])
    pairs = [(torch.cat([first, second]), whole), *zip(end, final, strict=True)]
    for resumed, together in pairs:
        assert_exact(resumed, together)
        if backend == "llvm":
            assert torch.equal(resumed, together)


LENGTHS = [5, 7, 1, 4]


def padded(value: float, more: int = 0) -> Tensor:
    """Four sequences in one tensor, filled behind their ends."""
    x = torch.full((T + more, B, F), value, dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        x[:length, row] = draw(T, B, F)[:length, row]
    return x


def learn(
    module: tt.nn.Recurrent, head: Any, x: Tensor, target: Tensor
) -> tuple[list[Tensor], Any]:
    """Loss and all gradients of a padded batch, and the final states."""
    lengths = torch.tensor(LENGTHS)
    output, state = module(x, lengths=LENGTHS)
    more = x.shape[0] - T
    target = nn.functional.pad(target, (0, 0, 0, more), value=-100)
    loss = tt.nn.mean_loss(head.loss(head.logits(output), target), lengths)
    return [loss.detach(), *gradients(loss, module, head)], state


@pytest.mark.parametrize("cell", RECURRENT, ids=repr)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_sequences_of_unequal_length_share_a_batch(
    backend: str, cell: tt.Cell, bidirectional: bool
) -> None:
    """Loss, gradients and final states are those of every sequence alone.

    What stands in the padding, NaN included, changes not one bit, and more of it no
    more than the order of a sum. The reverse direction begins at each sequence's own
    last step.
    """
    module = build(cell, backend, num_layers=2, bidirectional=bidirectional)
    head = tt.nn.Softmax(H * module.directions, K, backend=backend, dtype=torch.float64)
    target, x = classes(K, T, B), padded(0)
    found, state = learn(module, head, x, target)
    total, finals = torch.zeros((), dtype=torch.float64), []
    for row, length in enumerate(LENGTHS):
        output, final = module(x[:length, row : row + 1])
        steps = head.loss(head.logits(output), target[:length, row : row + 1])
        total = total + steps.mean() / B
        finals.append(final)
    expected = [total.detach(), *gradients(total, module, head)]
    for mine, theirs in zip(found, expected, strict=True):
        assert_exact(mine, theirs)
    for mine, *theirs in zip(state, *finals, strict=True):
        assert_exact(mine, torch.cat(theirs, 1))
    for other in (padded(torch.nan), padded(1e300)):
        again, end = learn(module, head, other, target)
        for mine, theirs in zip([*again, *end], [*found, *state], strict=True):
            assert torch.equal(mine, theirs)
    again, end = learn(module, head, padded(torch.nan, more=5), target)
    for mine, theirs in zip([*again, *end], [*found, *state], strict=True):
        assert_exact(mine, theirs)
