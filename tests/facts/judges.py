"""Independent judges of a gradient, and small things the tests of this folder share."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from throughtime.cells import GRU, LSTM, Elman, PeepholeLSTM
from throughtime.graph import Cell

# Of a central difference in float64: its own error is about the step's square.
STEP = 1e-5
GRADIENT_ERROR = 1e-7
# What two ways to the same number may differ by, from rounding alone.
EXACT = 1e-12

RECURRENT: list[Cell] = [
    Elman(),
    Elman("sigmoid"),
    LSTM(),
    GRU(),
    GRU(reset_after=False),
    PeepholeLSTM(),
]


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def classes(count: int, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(count, shape, generator=generator)


@torch.no_grad()
def differences(
    loss: Callable[[], Tensor], leaf: Tensor, places: Tensor | None = None
) -> Tensor:
    """∂loss/∂leaf by central differences, one number of the leaf after the other.

    With ``places`` at those of the flat leaf alone, ``(P,)``.
    """
    values, slopes = leaf.view(-1), []
    for place in range(len(values)) if places is None else places.tolist():
        before = values[place].item()
        values[place] = before + STEP
        above = loss().item()
        values[place] = before - STEP
        slopes.append((above - loss().item()) / (2 * STEP))
        values[place] = before
    found = torch.tensor(slopes, dtype=leaf.dtype)
    return found.view(leaf.shape) if places is None else found


def assert_gradient(numerical: Tensor, analytical: Tensor) -> None:
    """Compare relative to the larger of 1 and both magnitudes together."""
    assert numerical.shape == analytical.shape
    assert numerical.numel(), "nothing to compare"
    scale = (numerical.abs() + analytical.abs()).clamp(min=1)
    error = ((numerical - analytical).abs() / scale).max().item()
    assert error < GRADIENT_ERROR, f"relative error {error:.3g}"


def assert_exact(actual: Tensor, reference: Tensor) -> None:
    torch.testing.assert_close(actual, reference, rtol=EXACT, atol=EXACT)


def gradients(loss: Tensor, *modules: nn.Module) -> list[Tensor]:
    """Gradients of all parameters, in the modules' order."""
    parameters = [p for module in modules for p in module.parameters()]
    return list(torch.autograd.grad(loss, parameters))


def assign(module: nn.Module, **values: Sequence[object] | Tensor) -> None:
    """Set parameters by name."""
    with torch.no_grad():
        for name, value in values.items():
            parameter = module.get_parameter(name)
            parameter.copy_(torch.as_tensor(value, dtype=parameter.dtype))
