"""Memory: of networks that remember exactly so far, and of made-up losses."""

import math

import numpy as np
import pytest
import torch

import throughtime as tt
from throughtime.diagnose import gradients_by_lag, horizon, needed_history
from throughtime.diagnose.lags import Floats
from throughtime.diagnose.memory import judge_window


def shift_register(steps: int) -> tt.nn.Recurrent:
    """A linear network whose unit k is the input of k steps ago."""
    module = tt.nn.Recurrent(
        tt.cells.Elman("identity"), 1, steps + 1, bias=False, dtype=torch.float64
    )
    with torch.no_grad():
        module.weight_ih_l0.zero_()[0] = 1
        module.weight_hh_l0.copy_(torch.eye(steps + 1, dtype=torch.float64).roll(1, 0))
        module.weight_hh_l0[0] = 0
    return module


def test_horizon_of_a_geometric_decay() -> None:
    lags = [*range(0, 100, 2)]
    norms = 3 * 0.9 ** np.asarray(lags, float)
    expected = math.log(0.01) / math.log(0.9)
    assert horizon(lags, norms) == pytest.approx(expected, abs=1e-9)
    assert horizon(lags, norms, 0.5) == pytest.approx(math.log(0.5) / math.log(0.9))
    assert horizon(lags[:10], norms[:10]) is None
    assert horizon(lags, np.zeros(50)) is None


def test_horizon_is_where_error_is_lost_for_good() -> None:
    norms = np.array([1.0, 0.001, 0.5, 0.1, 0.001, np.nan])
    assert 3 < (horizon(range(6), norms) or 0) < 4
    assert horizon([0, 1], np.array([1.0, 0.0])) == pytest.approx(0.0067, abs=1e-3)


def test_a_shift_register_has_the_horizon_that_it_is_built_for() -> None:
    module, x = shift_register(3), torch.randn(12, 5, 1, dtype=torch.float64)
    target = x.roll(3, 0)

    def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (output[..., 3:] - 2 * target).square().sum(-1)

    found = gradients_by_lag(module, x, target, loss, samples=[11])
    (norms,) = found.means().values()
    np.testing.assert_allclose(norms[:4], norms[0], rtol=1e-12)
    assert not norms[4:].any()
    reached = horizon(found.lags, norms)
    assert reached is not None
    assert 3 <= reached < 4


def test_what_a_shift_register_needs_is_found_by_cutting() -> None:
    """Exactly 11 steps: with 10 an answer is wrong, with 11 it is the same."""
    module = shift_register(11)
    torch.manual_seed(0)
    x = torch.randn(60, 40, 1, dtype=torch.float64).sign()
    target = x.roll(11, 0) + 0.1 * torch.randn_like(x)

    def losses(resets: torch.Tensor | None = None) -> torch.Tensor:
        output, _ = module(x, resets=resets)
        return (output[..., 11:] - target).square().sum(-1).detach()

    def loss_at(history: int) -> tuple[Floats, Floats]:
        resets = torch.zeros(60, 40, dtype=torch.bool)
        resets[59 - history] = True
        return losses(resets)[59].numpy(), losses()[59].numpy()

    found = needed_history(loss_at, 59)
    assert found.steps == 11
    assert found.full_loss == pytest.approx(float(losses()[59].mean()))
    by_history = {one.history: one for one in found.curve}
    assert {0, 1, 2, 4, 8, 16, 32, 59, 10, 11} <= by_history.keys()
    assert by_history[11].loss == found.full_loss
    assert by_history[8].low <= by_history[8].loss <= by_history[8].high


def drawn_losses(needed: int, noise: float) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(needed)
    return draw.normal(1, 0.5, 40), draw.normal(0, noise, 40)


def test_noise_is_no_need() -> None:
    full, noise = drawn_losses(20, 0.01)

    def loss_at(history: int) -> tuple[Floats, Floats]:
        return full + (1.0 if history < 20 else 0.0) + noise * (history < 90), full

    found = needed_history(loss_at, 200)
    assert found.steps is not None
    assert 20 <= found.steps <= 21


def test_more_than_was_tried() -> None:
    full, _ = drawn_losses(1, 0.0)

    def loss_at(history: int) -> tuple[Floats, Floats]:
        return full + 1 / (1 + history), full

    assert needed_history(loss_at, 10).steps is None


def test_no_history_and_none_that_could_be_tried() -> None:
    full, _ = drawn_losses(1, 0.0)
    nothing = np.zeros(0)

    def loss_at(history: int) -> tuple[Floats, Floats]:
        return (full, full) if history < 8 else (nothing, nothing)

    found = needed_history(loss_at, 40)
    assert found.steps == 0
    assert [one.history for one in found.curve] == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("window", "needed", "learned", "verdict"),
    [
        (32, 8, True, "enough"),
        (32, 31, True, "too short"),
        (32, None, True, "too short"),
        (64, 8, True, "wasteful"),
        (16, 1, True, "enough"),
        (None, 8, True, "enough"),
        (32, 8, False, "unknown"),
    ],
)
def test_windows(
    window: int | None, needed: int | None, learned: bool, verdict: str
) -> None:
    assert judge_window(window, needed, learned=learned) == verdict
