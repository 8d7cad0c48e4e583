"""Adaptive truncation: what is measured, and what follows from it."""

import copy
import math
from typing import Any

import pytest
import torch

import throughtime as tt
from tests.facts.judges import assert_exact, draw
from tests.train.truncation.streams import (
    F,
    H,
    build,
    gradients,
    losses,
    stream,
    whole_gradients,
)
from throughtime import Cell, Parameter, State
from throughtime.data.stream_batches import Chunk
from throughtime.errors import BadTruncation, WindowNotRun
from throughtime.graph import Value
from throughtime.train.truncation import TBPTT, AdaptiveTruncation, truncation
from throughtime.train.truncation.bias import (
    decay,
    lag_gradients,
    relative_bias,
    steps_needed,
)


class Leaky(Cell):
    """A unit that keeps a share of itself: error decays by that share."""

    keep = Parameter("hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return self.keep * h + x


def leaky(share: float) -> tt.nn.Recurrent:
    module = tt.nn.Recurrent(Leaky(), 1, 1, dtype=torch.float64)
    with torch.no_grad():
        module.get_parameter("keep_l0").fill_(share)
    return module


@pytest.mark.parametrize("beta", [0.3, 0.9, 1.0, 1.1])
def test_geometric_decay_is_found(beta: float) -> None:
    norms = 7.0 * beta ** torch.arange(40, dtype=torch.float64)
    assert decay(norms) == pytest.approx(beta, rel=1e-9)


def test_what_is_negligible_is_left_out() -> None:
    norms = torch.zeros(30, dtype=torch.float64)
    assert decay(norms) == 0
    norms[:5] = 0.5 ** torch.arange(5, dtype=torch.float64)
    assert decay(norms) == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_the_bound_is_exact_where_error_decays_geometrically(beta: float) -> None:
    """With gradients of one direction, k lags of all miss β^k of the whole."""
    lags = torch.arange(1, 200, dtype=torch.float64)
    norms = beta**lags
    bias = relative_bias(norms, norms.cumsum(0), tau=150)
    # What lies behind the last lag, β^199, is not known.
    torch.testing.assert_close(bias[:50], beta ** lags[:50], rtol=1e-8, atol=1e-8)
    needed = math.ceil(math.log(0.1) / math.log(beta)) + 1
    assert steps_needed(bias, 0.1, 99) == needed
    assert steps_needed(bias, 0.1, 3) == 3
    assert steps_needed(torch.full((9,), torch.inf), 0.1, 99) == 99


@pytest.mark.parametrize("tau", [2, 3, 5])
def test_the_bound_is_the_formula(tau: int) -> None:
    norms = torch.tensor([3.0, 1.0, 4.0, 1.0, 0.5, 0.2, 0.1], dtype=torch.float64)
    cumulative = norms.cumsum(0)
    beta = decay(norms)
    phi = dict(enumerate(norms.tolist(), 1))

    def error(k: int) -> float:
        if k >= tau:
            return phi[tau] * beta ** (k - tau) / (1 - beta)
        return sum(phi[j] for j in range(k + 1, tau)) + phi[tau] / (1 - beta)

    least = max(cumulative[k - 1].item() - error(k) for k in range(1, 8))
    expected = torch.tensor([error(k) / least for k in range(1, 8)]).double()
    found = relative_bias(norms, cumulative, tau)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_where_error_does_not_decay_no_number_of_steps_is_enough() -> None:
    norms = torch.ones(9, dtype=torch.float64)
    assert relative_bias(norms, norms.cumsum(0), 6).isinf().all()
    # Nor where directions cancel, so that nothing is known of the whole.
    small = 0.5 ** torch.arange(9, dtype=torch.float64)
    assert relative_bias(small, 0 * small, 6).isinf().all()


@pytest.mark.parametrize("cell", [tt.cells.Elman(), tt.cells.LSTM()], ids=repr)
def test_gradients_by_lag_are_those_of_a_loop(backend: str, cell: tt.Cell) -> None:
    """Of the last two losses, in rows that have them, over all layers and states."""
    module = build(backend, cell)
    x, y = draw(7, 3, F), draw(7, 3, H, seed=1)
    lengths = torch.tensor([7, 3, 6])
    rule = AdaptiveTruncation(module, longest=7, samples=2)
    window = next(rule.windows(Chunk(x, y, lengths)))
    found = lag_gradients(window, losses(window.run(), window.targets), 2)
    each, vectors = [], []
    for row, step in [(0, 5), (2, 5), (0, 6)]:
        states: list[Any] = [None]
        for t in range(step + 1):
            output, state = module.step(x[t, row][None], states[-1])
            states.append(tuple(state))
        flat = [value for state in states[step:0:-1] for value in state]
        slopes = torch.autograd.grad(losses(output, y[step, row][None]).sum(), flat)
        count = len(states[1])
        lags = [
            torch.cat([g.flatten() for g in slopes[k : k + count]])
            for k in range(0, len(slopes), count)
        ][:5]
        vectors.append(torch.stack(lags))
        each.append(torch.stack([lag.norm() for lag in lags]))
    assert_exact(found.norms, torch.stack(each).mean(0))
    mean = torch.stack(vectors).mean(0)
    assert found.norms.shape == (5,)
    # Directions of a vector differ in their order alone.
    assert_exact(found.cumulative, mean.cumsum(0).norm(dim=1))


@pytest.mark.parametrize("share", [0.5, 0.8])
@pytest.mark.parametrize("bias", [0.5, 0.1])
def test_a_leaky_unit_needs_the_steps_that_its_decay_says(
    share: float, bias: float
) -> None:
    module = leaky(share)
    rule = AdaptiveTruncation(module, 1.001 * bias, longest=80, period=10**6)
    for window in rule.windows(Chunk(draw(200, 1, 1), torch.ones(200, 1, 1).double())):
        window.mean((window.run() - 1).square().sum(-1) / 2)
    assert rule.k == math.ceil(math.log(bias) / math.log(share)) + 1
    assert rule.norms is not None
    assert_exact(
        rule.norms[1:] / rule.norms[:-1], torch.full((75,), share, dtype=torch.float64)
    )


def test_a_unit_that_forgets_nothing_gets_all_steps() -> None:
    rule = AdaptiveTruncation(leaky(1.0), longest=30)
    for window in rule.windows(Chunk(draw(60, 1, 1))):
        window.mean(window.run().sum(-1))
    assert rule.k == 30


def test_windows_measure_now_and_then_and_count_every_loss_once() -> None:
    module = build()
    rule = AdaptiveTruncation(module, longest=10, period=25, samples=2)
    sizes, old = [], []
    for window in rule.windows(Chunk(draw(60, 2, F), draw(60, 2, H, seed=1))):
        window.mean(losses(window.run(), window.targets))
        sizes.append(window.steps)
        old.append(len(window.inputs) - window.steps)
        if window.steps == 10:
            k = rule.k
        else:
            assert window.steps in {k, 60 - sum(sizes[:-1])}
            assert old[-1] <= k - 1
    assert sum(sizes) == 60
    assert sizes.count(10) >= 2


def test_with_all_steps_it_is_backpropagation_through_time() -> None:
    module = build()
    expected = whole_gradients(module, stream(17))
    rule = AdaptiveTruncation(module, longest=17, period=100)
    for own, slope in zip(gradients(rule, stream(17)), expected, strict=True):
        assert_exact(own, slope)


def test_measuring_changes_no_gradient() -> None:
    """A window that is run step by step has the gradients of TBPTT(k, k)."""
    module = build()
    measured = AdaptiveTruncation(module, longest=6, shortest=6, period=6, samples=2)
    plain = gradients(TBPTT(module, 6, 11), stream(18))
    for own, slope in zip(gradients(measured, stream(18)), plain, strict=True):
        assert_exact(own, slope)


def test_it_goes_on_where_it_was_stored() -> None:
    def run(rule: AdaptiveTruncation, chunks: list[Chunk], most: int) -> list[float]:
        found: list[float] = []
        for window in rule.windows(chunks):
            found.append(window.mean(losses(window.run(), window.targets)).item())
            if len(found) == most:
                break
        return found

    def rule() -> AdaptiveTruncation:
        return AdaptiveTruncation(build(), longest=10, period=25, samples=2)

    chunks = [Chunk(draw(60, 2, F), draw(60, 2, H, seed=1))]
    whole = run(rule(), chunks, 100)
    for windows in (1, 2, 5):
        first, other = rule(), rule()
        begun = run(first, chunks, windows)
        other.load_state_dict(copy.deepcopy(first.state_dict()))
        assert begun + run(other, [], 100) == whole


def without_losses() -> None:
    for window in AdaptiveTruncation(build(), longest=9).windows(stream(18)):
        window.run()


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (without_losses, WindowNotRun, "call mean() or sum() on the losses"),
        (lambda: AdaptiveTruncation(build(), 0.0), BadTruncation, "bias=0.0, expected"),
        (
            lambda: AdaptiveTruncation(build(), longest=5),
            BadTruncation,
            "longest=5, expected a whole number of at least 6",
        ),
        (
            lambda: AdaptiveTruncation(build(), shortest=20, longest=19),
            BadTruncation,
            "longest=19, expected a whole number of at least 20",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(
    call: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as refusal:
        call()
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("7", {"k1": 7, "k2": 7}),
        ("5:14", {"k1": 5, "k2": 14}),
        ("random:20", {"mean_length": 20.0}),
        ("random:2.5", {"mean_length": 2.5}),
        ("auto", {"bias": 0.5}),
    ],
)
def test_names(name: str, expected: dict[str, Any]) -> None:
    made = truncation(name, build())
    assert {key: getattr(made, key) for key in expected} == expected


@pytest.mark.parametrize(
    "name", ["", "5:", "a", "random", "random:x", "-3", "5:4", "0"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadTruncation):
        truncation(name, build())
