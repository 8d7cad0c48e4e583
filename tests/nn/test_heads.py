"""Outputs and losses: the one δ, finite losses, pooling, and sums against means."""

import math

import pytest
import torch
from torch import nn

from throughtime.cells import Elman
from throughtime.errors import (
    BadLengths,
    BadTarget,
    HeadSizeMismatch,
    ThroughtimeError,
    UnknownChoice,
)
from throughtime.nn import Recurrent
from throughtime.nn.heads import Head, Linear, Sigmoid, Softmax, mean_loss, pool

T, B, H, K = 5, 4, 3, 6
LENGTHS = torch.tensor([5, 2, 1, 4])


def draw(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def classes(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(8)
    return torch.randint(K, shape, generator=generator)


PAIRS = [
    (Softmax, classes(T, B), nn.functional.one_hot(classes(T, B), K).double()),
    (Sigmoid, (draw(T, B, K) > 0).double(), (draw(T, B, K) > 0).double()),
    (Linear, draw(T, B, K), draw(T, B, K)),
]


@pytest.mark.parametrize(("head", "target", "as_output"), PAIRS)
def test_the_delta_is_output_minus_target(
    head: type[Head], target: torch.Tensor, as_output: torch.Tensor
) -> None:
    module = head(H, K, dtype=torch.float64)
    logits = 3 * draw(T, B, K).flip(0)
    logits.requires_grad_()
    (delta,) = torch.autograd.grad(module.loss(logits, target).sum(), logits)
    torch.testing.assert_close(
        delta, module.activate(logits) - as_output, rtol=0, atol=1e-14
    )


def test_the_losses_are_the_formulas() -> None:
    logits, labels, numbers = draw(B, K), (draw(B, K) < 0).double(), draw(B, K).flip(0)
    chosen = classes(B)
    softmax = [
        -math.log(math.exp(a[k]) / sum(map(math.exp, a)))
        for a, k in zip(logits.tolist(), chosen.tolist(), strict=True)
    ]
    p = 1 / (1 + (-logits).exp())
    binary = -(labels * p.log() + (1 - labels) * (1 - p).log()).sum(-1)
    half = ((logits - numbers) ** 2).sum(-1) / 2
    given = torch.tensor(softmax, dtype=torch.float64)
    for head, target, expected in [
        (Softmax, chosen, given),
        (Sigmoid, labels, binary),
        (Linear, numbers, half),
    ]:
        loss = head(H, K).loss(logits, target)
        torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)


def test_softmax_sums_to_one_is_shift_invariant_and_survives_large_logits() -> None:
    head, logits = Softmax(H, K), draw(B, K)
    output = head.activate(logits)
    torch.testing.assert_close(
        output.sum(-1), torch.ones(B).double(), atol=1e-12, rtol=0
    )
    torch.testing.assert_close(head.activate(logits + 50), output, atol=1e-12, rtol=0)
    extreme = torch.tensor([[1000.0, 0.0]], dtype=torch.float64)
    assert head.activate(extreme).tolist() == [[1.0, 0.0]]
    two = Softmax(H, 2)
    assert two.loss(extreme, torch.tensor([1])).item() == 1000.0


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_the_sigmoid_loss_is_finite_for_extreme_logits(size: float) -> None:
    logits = torch.full((1, 2), size, dtype=torch.float64)
    target = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    assert Sigmoid(H, 2).loss(logits, target).item() == pytest.approx(1e3, abs=1e-9)


def test_labels_are_independent_of_each_other() -> None:
    logits, target = draw(B, K), (draw(B, K) > 0).double()
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    head = Sigmoid(H, K)
    torch.testing.assert_close(
        head.loss(logits[:, order], target[:, order]), head.loss(logits, target)
    )
    assert torch.equal(head.activate(logits[:, order]), head.activate(logits)[:, order])


def test_a_target_of_minus_100_does_not_count() -> None:
    target = classes(T, B)
    target[2:, 1] = -100
    losses = Softmax(H, K).loss(draw(T, B, K), target)
    assert losses[2:, 1].tolist() == [0.0] * (T - 2)
    assert (losses != 0).sum() == T * B - (T - 2)


def test_the_linear_map_is_torchs_with_the_same_seed() -> None:
    torch.manual_seed(3)
    head = Softmax(H, K, dtype=torch.float64)
    torch.manual_seed(3)
    linear = nn.Linear(H, K, dtype=torch.float64)
    assert torch.equal(head.weight, linear.weight)
    assert torch.equal(head.bias, linear.bias)
    linear.load_state_dict(head.state_dict())
    x = draw(T, B, H)
    torch.testing.assert_close(head.logits(x), linear(x), rtol=0, atol=1e-14)
    torch.testing.assert_close(head(x), linear(x).softmax(-1), rtol=0, atol=1e-14)


def test_half_squared_error_without_a_hidden_layer_finds_least_squares() -> None:
    x, slope = draw(40, H), draw(K, H).T
    y = x @ slope + 0.3 + 0.1 * draw(40, K).flip(0)
    head = Linear(H, K, dtype=torch.float64)
    newton = torch.optim.LBFGS(
        head.parameters(), max_iter=200, tolerance_grad=1e-12, tolerance_change=0
    )

    def loss() -> torch.Tensor:
        newton.zero_grad()
        value = mean_loss(head.loss(head.logits(x), y))
        value.backward()
        return value

    for _ in range(5):
        newton.step(loss)
    with_one = torch.cat([x, torch.ones(40, 1).double()], 1)
    solution = torch.linalg.lstsq(with_one, y).solution
    torch.testing.assert_close(head.weight, solution[:H].T, rtol=0, atol=1e-6)
    torch.testing.assert_close(head.bias, solution[H], rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", ["last", "mean", "max"])
@pytest.mark.parametrize("directions", [1, 2])
def test_pooling_is_that_of_each_sequence_alone(how: str, directions: int) -> None:
    output = draw(T, B, directions * H)
    for row, length in enumerate(LENGTHS.tolist()):
        output[length:, row] = math.nan
    pooled = pool(output, LENGTHS, how, directions=directions)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = output[:length, row]
        expected = {
            "last": torch.cat([alone[-1, :H], alone[0, H:]]),
            "mean": alone.mean(0),
            "max": alone.amax(0),
        }[how]
        torch.testing.assert_close(pooled[row], expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("how", ["last", "mean", "max"])
def test_padding_gets_no_gradient_and_an_empty_sequence_gives_zeros(how: str) -> None:
    lengths = torch.tensor([0, 2, 1, 4])
    output = draw(T, B, H)
    output[torch.arange(T)[:, None] >= lengths] = math.nan
    output.requires_grad_()
    pooled = pool(output, lengths, how)
    assert pooled[0].tolist() == [0.0] * H
    (gradient,) = torch.autograd.grad(pooled.sum(), output)
    assert (gradient[torch.arange(T)[:, None] >= lengths] == 0).all()


@pytest.mark.parametrize("time", ["mean", "sum"])
@pytest.mark.parametrize("batch", ["mean", "sum"])
def test_a_padded_batch_is_the_mean_or_sum_of_its_sequences(
    time: str, batch: str
) -> None:
    hidden, target = draw(T, B, H), classes(T, B)
    head = Softmax(H, K, dtype=torch.float64)

    def gradients(loss: torch.Tensor) -> list[torch.Tensor]:
        return [loss.detach(), *torch.autograd.grad(loss, list(head.parameters()))]

    losses = head.loss(head.logits(hidden), target)
    together = gradients(mean_loss(losses, LENGTHS, time=time, batch=batch))
    alone = []
    for row, length in enumerate(LENGTHS.tolist()):
        logits = head.logits(hidden[:length, row])
        steps = head.loss(logits, target[:length, row])
        alone.append(gradients(steps.mean() if time == "mean" else steps.sum()))
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        expected = sum(parts) / (B if batch == "mean" else 1)
        torch.testing.assert_close(whole, expected, rtol=0, atol=1e-12)


def test_without_lengths_every_step_counts() -> None:
    losses = draw(T, B).abs()
    full = torch.full((B,), T)
    for time in ("mean", "sum"):
        torch.testing.assert_close(
            mean_loss(losses, time=time), mean_loss(losses, full, time=time)
        )
    assert mean_loss(losses[0]) == losses[0].mean()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(HeadSizeMismatch, match=r"\(2, 5\), expected \(…, 3\)"):
        Softmax(H, K).logits(torch.zeros(2, 5))
    with pytest.raises(ThroughtimeError, match="output_size"):
        Softmax(H, 0)
    with pytest.raises(UnknownChoice, match="'median'"):
        pool(draw(T, B, H), LENGTHS, "median")
    with pytest.raises(UnknownChoice, match="time='max'"):
        mean_loss(draw(T, B), time="max")


def test_a_target_that_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(
        BadTarget, match=r"target is of shape \(4,\), expected \(4, 1\)"
    ):
        Linear(5, 1).loss(torch.zeros(4, 1), torch.zeros(4))
    with pytest.raises(BadTarget, match=r"target is torch\.float32, expected whole"):
        Softmax(H, K).loss(draw(B, K), torch.zeros(B))
    with pytest.raises(BadTarget, match=r"of shape \(2,\)"):
        Softmax(H, K).loss(draw(B, K), torch.zeros(2, dtype=torch.long))
    for wrong in (K, -1):
        with pytest.raises(BadTarget, match=f"expected classes from 0 to {K - 1}"):
            Softmax(H, K).loss(draw(B, K), torch.full((B,), wrong))
    with pytest.raises(BadTarget, match="complex64"):
        Sigmoid(H, K).loss(draw(B, K), torch.zeros(B, K, dtype=torch.complex64))
    with pytest.raises(HeadSizeMismatch, match=f"expected \\(…, {K}\\)"):
        Linear(H, K).loss(torch.zeros(B, K + 1), torch.zeros(B, K + 1))


def test_zeros_and_ones_of_any_dtype_are_targets() -> None:
    logits, target = draw(B, K), torch.arange(B * K).reshape(B, K) % 2
    head = Sigmoid(H, K)
    expected = head.loss(logits, target.to(logits.dtype))
    for dtype in (torch.bool, torch.int32):
        assert torch.equal(head.loss(logits, target.to(dtype)), expected)
    classes = torch.zeros(B, dtype=torch.int32)
    softmax = Softmax(H, K)
    assert torch.equal(
        softmax.loss(logits, classes), softmax.loss(logits, classes.long())
    )


def test_what_a_mean_cannot_obey_it_refuses() -> None:
    with pytest.raises(BadTarget, match="lengths is given with losses of shape"):
        mean_loss(draw(B), torch.ones(B))
    with pytest.raises(BadTarget, match="time is given with losses of shape"):
        mean_loss(draw(B), time="sum")
    with pytest.raises(BadTarget, match=r"lengths is of shape \(7,\)"):
        mean_loss(draw(T, B), torch.ones(7))
    with pytest.raises(BadTarget, match=r"expected \(B,\) or \(T, B\)"):
        mean_loss(draw(T, B, 2))


def test_pooling_wants_a_length_per_sequence() -> None:
    for wrong in (torch.ones(B + 1), torch.full((B,), T + 1), "ab"):
        with pytest.raises(BadLengths, match="lengths is"):
            pool(draw(T, B, H), wrong)
    assert torch.equal(
        pool(draw(T, B, H), LENGTHS.tolist()), pool(draw(T, B, H), LENGTHS)
    )


def test_a_head_wants_an_axis() -> None:
    with pytest.raises(HeadSizeMismatch, match=r"\(\), expected"):
        Linear(H, K)(torch.tensor(1.0))


def test_autocast_changes_nothing(backend: str) -> None:
    head, x = Linear(H, K, backend=backend), torch.ones(B, H)
    expected = head(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(x), expected)


def test_a_head_that_reads_zeros_gives_the_same_numbers() -> None:
    torch.manual_seed(1)
    module = Recurrent(Elman("relu"), 8, 64)
    assert module.leaves_zeros
    assert not Recurrent(Elman("tanh"), 8, 64).leaves_zeros
    answers = []
    for zeros in (False, True):
        torch.manual_seed(2)
        head = Linear(64, 40, zeros=zeros, dtype=torch.float64)
        x = torch.randn(30, 64, dtype=torch.float64).sub(1).relu().requires_grad_()
        logits = head.logits(x)
        logits.square().sum().backward()
        answers.append((logits.detach(), x.grad, head.weight.grad))
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
