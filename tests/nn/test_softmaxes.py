"""Several softmaxes at once, and targets that do not count."""

import pytest
import torch
from torch.nn import functional

from throughtime.errors import BadTarget
from throughtime.nn import Linear, Sigmoid, Softmax, Softmaxes

SIZES = (3, 2, 4)


def test_each_group_is_a_softmax_of_its_own() -> None:
    torch.manual_seed(0)
    head = Softmaxes(5, SIZES, dtype=torch.float64)
    x = torch.randn(6, 2, 5, dtype=torch.float64)
    target = torch.stack([torch.randint(k, (6, 2)) for k in SIZES], -1)
    target[0, 0, 1] = -100
    logits = head.logits(x)
    each, outputs = head.each(logits, target), head(x)
    for group, (start, size) in enumerate(zip((0, 3, 5), SIZES, strict=True)):
        one = logits[..., start : start + size]
        expected = functional.cross_entropy(
            one.flatten(0, 1), target[..., group].flatten(), reduction="none"
        )
        assert torch.equal(each[..., group].flatten(), expected)
        assert torch.equal(outputs[..., start : start + size], one.softmax(-1))
    assert each[0, 0, 1] == 0
    assert torch.equal(head.loss(logits, target), each.sum(-1))


def test_one_group_is_a_softmax_to_the_bit() -> None:
    torch.manual_seed(0)
    alone = Softmax(5, 3)
    torch.manual_seed(0)
    group = Softmaxes(5, [3])
    x, target = torch.randn(7, 5), torch.randint(3, (7,))
    assert torch.equal(group(x), alone(x))
    losses = group.loss(group.logits(x), target[:, None])
    assert torch.equal(losses, alone.loss(alone.logits(x), target))
    assert alone.each(alone.logits(x), target).shape == (7, 1)


@pytest.mark.parametrize("kind", [Sigmoid, Linear])
def test_a_target_that_is_nan_counts_nowhere(kind: type[Sigmoid | Linear]) -> None:
    head = kind(5, 3, dtype=torch.float64)
    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randint(2, (4, 3)).double()
    full = head.each(logits, target)
    target[1, 2] = target[3, 0] = torch.nan
    each = head.each(logits, target)
    known = ~target.isnan()
    assert torch.equal(each[known], full[known])
    assert not each[~known].any()
    (slope,) = torch.autograd.grad(head.loss(logits, target).sum(), logits)
    (expected,) = torch.autograd.grad(full[known].sum(), logits)
    assert torch.equal(slope, expected)


def test_targets_that_do_not_fit_are_refused() -> None:
    head = Softmaxes(5, SIZES)
    logits = torch.zeros(2, 9)
    with pytest.raises(BadTarget, match=r"expected \(2, 3\)"):
        head.loss(logits, torch.zeros(2, dtype=torch.long))
    with pytest.raises(BadTarget, match="expected whole numbers"):
        head.loss(logits, torch.zeros(2, 3))
    with pytest.raises(BadTarget, match="expected classes from 0 to 1"):
        head.loss(logits, torch.full((2, 3), 2))
