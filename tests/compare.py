"""The one comparison of the tests, as strict as a promise of accuracy needs."""

import torch
from torch import Tensor

# What every backend keeps to, relative to the largest value of the reference, at
# least to 1: room for the rounding of some hundred steps, for nothing else.
TOLERANCES = {
    torch.float64: 1e-12,
    torch.float32: 8 * 2.0**-24,
}


def assert_close(actual: Tensor, reference: Tensor, *, times: float = 1.0) -> None:
    """Fail unless both agree in dtype, shape, NaN, infinities and values.

    ``times`` widens the tolerance; who gives it says why.
    """
    assert isinstance(actual, Tensor)
    assert isinstance(reference, Tensor)
    assert actual.dtype == reference.dtype, (actual.dtype, reference.dtype)
    assert actual.shape == reference.shape, (actual.shape, reference.shape)
    assert reference.numel(), "nothing to compare"
    actual, reference = actual.detach().cpu(), reference.detach().cpu()
    finite = reference.isfinite()
    special = torch.stack(
        [reference.isnan(), reference.isposinf(), reference.isneginf()]
    )
    found = torch.stack([actual.isnan(), actual.isposinf(), actual.isneginf()])
    assert torch.equal(found, special), "NaN or infinity at other places"
    if not finite.any():
        return
    scale = max(1.0, reference[finite].abs().max().item())
    error = (actual - reference)[finite].abs().max().item()
    allowed = times * TOLERANCES[reference.dtype] * scale
    assert error <= allowed, f"error {error:.3g}, allowed {allowed:.3g}"
