"""Gradient flossing: Lyapunov exponents pushed towards 0 by gradient descent.

Engelken, Gradient flossing: improving gradient descent through dynamic control of
Jacobians (NeurIPS 2023, arXiv:2312.17306).
"""

import torch
from torch import Tensor

from throughtime.diagnose.jacobians import jacobians_of
from throughtime.diagnose.lyapunov import check_exponents, growths
from throughtime.diagnose.trajectories import (
    Given,
    Passage,
    State,
    check_layers,
    passages,
)
from throughtime.errors import SingularStep, UnfitMeasurement
from throughtime.nn.layers import Layers
from throughtime.nn.sequences import Lengths, Sequences


def flossing_loss(
    module: Layers,
    input: Given,
    state: State | None = None,
    *,
    exponents: int | None = None,
    lengths: Lengths | None = None,
    **inputs: Sequences,
) -> Tensor:
    """Mean square of the k largest Lyapunov exponents, ``(1/k) Σ_i λ_i²``.

    Where they are 0, gradients neither vanish nor explode in k directions. The loss is
    the mean over layers and directions, each taken by itself; exponents are of all
    steps. Its gradient flows through the QR decompositions, the Jacobians and the
    states, in the module's own numbers, with random values at their means.

    Parameters
    ----------
    module
        `Recurrent`, or one of `torch.nn`'s kinds from `throughtime.nn`.
    input, state, lengths, **inputs
        As in a call of the module.
    exponents
        k; None: a quarter of the hidden size, at least 1.

    Returns
    -------
    Tensor
        ``()``, to be differentiated.

    Raises
    ------
    NotLayers, NothingCarried
        The module is none, or its cell has no states.
    UnfitMeasurement
        There are no so many exponents, or no steps.
    StatesDiverged
        States or derivatives are not finite.
    SingularStep
        A step maps some directions to 0: their exponents are minus infinity.
    """
    check_layers(module, "flossing")
    count = max(1, module.hidden_size // 4) if exponents is None else exponents
    training = module.training
    module.eval()
    try:
        found = passages(module, input, state, lengths, inputs)
    finally:
        module.train(training)
    return torch.stack([_loss(one, count) for one in found]).mean()


def _loss(passage: Passage, count: int) -> Tensor:
    check_exponents(passage, count)
    steps = int(passage.lengths.sum())
    if not steps:
        raise UnfitMeasurement(
            argument="input",
            given="0 steps",
            of="an exponent, which is a mean over steps",
            expected="at least one step",
        )
    # Behind a sequence's end is the identity, whose growth is 0.
    found = growths(passage, jacobians_of(passage, differentiable=True), count, 1, 0)
    exponents = torch.stack([grown for _, grown in found]).sum((0, 1)) / steps
    if not exponents.isfinite().all():
        raise SingularStep(
            given=count, layer=passage.layer, direction=passage.direction
        )
    return exponents.square().mean()
