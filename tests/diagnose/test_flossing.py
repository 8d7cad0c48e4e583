"""Gradient flossing: the loss, its gradient, and what comes of following it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from throughtime.cells import GRU, LSTM, Elman, Feedforward, Zoneout
from throughtime.diagnose import flossing_loss, lyapunov_spectrum
from throughtime.errors import NothingCarried, SingularStep, UnfitMeasurement
from throughtime.graph import Cell
from throughtime.nn import Recurrent

DOUBLE = torch.float64
T, B, F, H = 8, 2, 2, 4


def built(cell: Cell, backend: str = "llvm", **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, F, H, dtype=DOUBLE, backend=backend, **settings)


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator, dtype=DOUBLE)


@pytest.mark.parametrize("lengths", [None, [8, 3]], ids=["whole", "ragged"])
def test_the_loss_is_the_mean_square_of_the_exponents(
    backend: str, lengths: list[int] | None
) -> None:
    module = built(LSTM(), backend, num_layers=2, bidirectional=True).train()
    x = drawn(T, B, F)
    found = flossing_loss(module, x, exponents=3, lengths=lengths)
    spectra = lyapunov_spectrum(module, x, exponents=3, lengths=lengths, transient=0)
    squares = [(one.exponents**2).mean() for one in spectra.values()]
    assert found.item() == pytest.approx(np.mean(squares), rel=1e-10)
    assert module.training


def test_by_default_it_is_of_a_quarter_of_the_units() -> None:
    module, x = built(GRU()), drawn(T, B, F)
    assert (
        flossing_loss(module, x).item() == flossing_loss(module, x, exponents=1).item()
    )


@pytest.mark.parametrize("cell", [Elman(), LSTM(), GRU()], ids=repr)
def test_its_gradient_is_that_of_differences(backend: str, cell: Cell) -> None:
    module, x = built(cell, backend), drawn(T, B, F)
    loss = flossing_loss(module, x, exponents=2)
    weights = [module.get_parameter(f"weight_{name}_l0") for name in ("ih", "hh")]
    for weight, gradient in zip(
        weights, torch.autograd.grad(loss, weights), strict=True
    ):
        for place in [(0, 0), (1, 1), (3, 0)]:
            with torch.no_grad():
                values = []
                for change in (1e-6, -2e-6):
                    weight[place] += change
                    values.append(flossing_loss(module, x, exponents=2).item())
                weight[place] += 1e-6
            slope = (values[0] - values[1]) / 2e-6
            assert gradient[place].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_backends_agree_on_the_gradient() -> None:
    found = []
    for backend in ("llvm", "reference"):
        module = built(LSTM(), backend)
        flossing_loss(module, drawn(T, B, F), exponents=2).backward()
        found.append([one.grad for one in module.parameters()])
    for mine, judge in zip(*found, strict=True):
        assert mine is not None and judge is not None
        assert torch.allclose(mine, judge, rtol=1e-9, atol=1e-12)


def exponents(module: Recurrent, x: Tensor) -> np.ndarray:
    return lyapunov_spectrum(module, x, exponents=4, transient=20)[0, 0].exponents


def gradient_by_lag(module: Recurrent, x: Tensor) -> Tensor:
    """‖∂(sum of the last state)/∂h‖ at each step, the mean over sequences."""
    state = torch.zeros(1, x.shape[1], module.hidden_size, dtype=DOUBLE)
    steps = []
    for step in x:
        state = state.requires_grad_() if not steps else state
        steps.append(state)
        _, (state,) = module.step(step, state)
    weights = torch.ones_like(state)
    found = torch.autograd.grad((state * weights).sum(), steps)
    return torch.stack([one.norm(dim=-1).mean() for one in found]).flip(0)


def test_exponents_come_near_0_and_the_gradient_reaches_back() -> None:
    torch.manual_seed(0)
    module = Recurrent(Elman(), F, 16, dtype=DOUBLE)
    x = drawn(100, 4, F)
    before, reach = exponents(module, x), gradient_by_lag(module, x)
    assert before.max() < -0.3 and reach[-1] < 1e-10
    optimizer = torch.optim.Adam(module.parameters(), 2e-3)
    for _ in range(120):
        optimizer.zero_grad()
        flossing_loss(module, x[:50, :2]).backward()
        optimizer.step()
    after, mended = exponents(module, x), gradient_by_lag(module, x)
    assert np.abs(after).max() < 0.1 * np.abs(before).min()
    assert mended[-1] > 1e-3


def test_randomness_is_at_its_mean() -> None:
    module = built(Zoneout(Elman(), h=0.3)).train()
    x = drawn(T, B, F)
    assert flossing_loss(module, x).item() == flossing_loss(module.eval(), x).item()


def test_what_cannot_be_is_refused() -> None:
    module, x = built(Elman("relu")), drawn(T, B, F)
    with pytest.raises(SingularStep, match="exponents=4 of layer 0, direction 0"):
        flossing_loss(module, x, exponents=4)
    with pytest.raises(UnfitMeasurement, match="from 1 to 4"):
        flossing_loss(module, x, exponents=5)
    with pytest.raises(UnfitMeasurement, match="0 steps"):
        flossing_loss(module, x[:0])
    with pytest.raises(NothingCarried, match="flossing is asked of Feedforward"):
        flossing_loss(built(Feedforward()), x)
