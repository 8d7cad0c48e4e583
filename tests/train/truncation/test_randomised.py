"""Random truncation: lengths as promised, gradients unbiased."""

import copy

import pytest
import torch

from tests.facts.judges import assert_exact, draw
from tests.train.truncation.streams import F, H, build, losses, stream, whole_gradients
from throughtime.cells import Elman
from throughtime.data.stream_batches import Chunk
from throughtime.errors import BadTruncation
from throughtime.train.truncation import TBPTT, RandomTruncation

STANDARD_ERRORS = 4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("alpha", [4.0, 6.0])
def test_windows_are_as_long_as_asked_for_in_the_mean(every: int, alpha: float) -> None:
    """The mean is L0, and a length is as probable as c says."""
    module = build(cell=Elman())
    rule = RandomTruncation(module, 12.0, alpha=alpha, every=every, generator=seeded())
    places = torch.tensor([rule._want() for _ in range(4000)]).double() / every
    error = places.std() / len(places) ** 0.5
    assert abs(places.mean() - 12 / every) < STANDARD_ERRORS * error
    survival = 1.0
    for place in range(1, 5):
        survival *= 1 - rule.probability(place)
        share = (places > place).double().mean()
        spread = (survival * (1 - survival) / len(places)) ** 0.5
        assert abs(share - survival) < STANDARD_ERRORS * spread


def test_each_loss_counts_once_and_is_seen_with_the_right_weights() -> None:
    """A pass by hand: error crosses a place between two calls times 1 / (1 − c)."""
    module = build(cell=Elman())
    x, y = draw(13, 2, F), draw(13, 2, H, seed=1)
    rule = RandomTruncation(module, 5.0, every=2, generator=seeded(1))
    parameters = list(module.parameters())
    start, state, windows = 0, torch.zeros(2, 2, H, dtype=torch.float64), 0
    for window in rule.windows(Chunk(x, y)):
        loss = window.sum(losses(window.run(), window.targets))
        found = torch.autograd.grad(loss, parameters)
        # The state before each step, cut from what was before it.
        total = [torch.zeros_like(one) for one in parameters]
        steps = range(start, start + window.steps)
        states = [state]
        for t in steps:
            states.append(module.step(x[t], (states[-1],))[1].h.detach())
        error = torch.zeros_like(state)
        for t in reversed(steps):
            before = states[t - start].requires_grad_()
            output, after = module.step(x[t], (before,))
            objective = losses(output, y[t]).sum() + (after.h * error).sum()
            slopes = torch.autograd.grad(objective, [*parameters, before])
            for own, slope in zip(total, slopes[:-1], strict=True):
                own += slope
            place, rest = divmod(t - start, 2)
            factor = 1 / (1 - rule.probability(place)) if place and not rest else 1.0
            error = factor * slopes[-1]
        for own, slope in zip(found, total, strict=True):
            assert_exact(own, slope)
        start, state, windows = start + window.steps, states[-1].detach(), windows + 1
    assert start == 13
    assert windows > 1


def mean_gradient(rule: RandomTruncation, samples: int) -> tuple[torch.Tensor, ...]:
    """The mean over passes and its standard error, for all parameters in a row."""
    found = []
    parameters = list(rule.module.parameters())
    chunk = stream(12, rows=3)
    for _ in range(samples):
        rule.reset()
        total = torch.zeros(sum(one.numel() for one in parameters)).double()
        for window in rule.windows(chunk):
            loss = window.sum(losses(window.run(), window.targets))
            slopes = torch.autograd.grad(loss, parameters)
            total += torch.cat([slope.flatten() for slope in slopes])
        found.append(total)
    each = torch.stack(found)
    return each.mean(0), each.std(0) / samples**0.5


def test_the_gradient_is_unbiased_ragged_and_with_resets() -> None:
    """All parameters at once, by the mean square of their standard scores.

    TBPTT of as many steps as windows have in the mean is far off by the same measure.
    """
    module = build(cell=Elman(), layers=1)
    mean, error = mean_gradient(RandomTruncation(module, 3.0, generator=seeded()), 150)
    exact = torch.cat([g.flatten() for g in whole_gradients(module, stream(12, 3))])
    scores = ((mean - exact) / error)[error > 0]
    assert scores.abs().max() < STANDARD_ERRORS
    truncated = torch.zeros_like(exact)
    parameters = list(module.parameters())
    for window in TBPTT(module, 3).windows(stream(12, 3)):
        loss = window.sum(losses(window.run(), window.targets))
        slopes = torch.autograd.grad(loss, parameters)
        truncated += torch.cat([slope.flatten() for slope in slopes])
    assert ((truncated - exact) / error)[error > 0].abs().max() > 10


def test_it_goes_on_where_it_was_stored() -> None:
    def rule(seed: int) -> RandomTruncation:
        return RandomTruncation(build(), 4.0, generator=seeded(seed))

    def sizes(some: RandomTruncation, chunks: list[Chunk], most: int) -> list[int]:
        found: list[int] = []
        for window in some.windows(chunks):
            window.run()
            found.append(window.steps)
            if len(found) == most:
                break
        return found

    chunks = [Chunk(x) for x in draw(60, 2, F).split(60)]
    whole = sizes(rule(3), chunks, 100)
    first = rule(3)
    begun = sizes(first, chunks, 4)
    other = rule(5)
    other.load_state_dict(copy.deepcopy(first.state_dict()))
    assert begun + sizes(other, [], 100) == whole
    assert len(whole) > 6


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mean_length": 1.0}, "mean_length=1.0, expected more than every=1"),
        ({"mean_length": 4.0, "every": 4}, "mean_length=4.0, expected more than"),
        ({"mean_length": 9.0, "alpha": 2.0}, "alpha=2.0, expected a number above 2"),
        ({"mean_length": 9.0, "every": 0}, "every=0, expected a whole number"),
    ],
)
def test_what_has_no_mean_is_refused(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadTruncation) as refusal:
        RandomTruncation(build(), **settings)  # type: ignore[arg-type]
    assert sentence in str(refusal.value)
