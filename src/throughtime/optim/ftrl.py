"""Follow the regularised leader: the regulariser is in the weights' own formula."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from throughtime.errors.optim import BadHyperparameter
from throughtime.optim.base import Group, Parameters, RowOptimizer, Touched
from throughtime.optim.flow import shrink


class FTRLProximal(RowOptimizer):
    """FTRL-Proximal with elastic net, for sparse gradients and sparse weights.

    A step is, for every weight w with gradient g of the loss ::

        z = z + g − (√(n + g²) − √n) / lr · w
        n = n + g²
        w = 0                                                    if |z| ≤ l1
        w = −(z − sign(z) l1) / ((beta + √n) / lr + l2)          otherwise

    A weight without a gradient stays what it is, so nothing is ever pending, and a step
    costs what its rows cost. Penalties are of the sum of all losses so far: they are
    not applied step by step, and a weight that never has a gradient keeps its first
    value. z starts where that value follows from the formula; from zeros, as published,
    z starts at 0.

    Parameters
    ----------
    params
        Parameters or groups of them, rows along the first dimension: ``(d, …)``.
    lr
        α of the paper. When it is changed z is moved so that all weights stay what
        they are, which costs what all rows cost.
    beta
        β of the paper; ``beta + l2`` must be above 0.
    l1, l2
        Penalties; when they are changed all weights follow from the formula anew.
    **others
        Arguments of torch's optimisers, which are refused with the reason unless they
        mean nothing.

    References
    ----------
    McMahan et al. 2013, Ad click prediction: a view from the trenches.
    """

    _numbers: ClassVar[dict[str, bool]] = {
        "lr": False,
        "beta": True,
        "l1": True,
        "l2": True,
    }

    def __init__(
        self,
        params: Parameters,
        lr: float = 0.1,
        *,
        beta: float = 1.0,
        l1: float = 0.0,
        l2: float = 0.0,
        **others: Any,
    ) -> None:
        defaults = {"lr": lr, "beta": beta, "l1": l1, "l2": l2}
        super().__init__(params, defaults, others)

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        if not float(group["beta"]) + float(group["l2"]):
            expected = "a number above 0 where l2 is 0"
            raise BadHyperparameter(argument="beta", given=0.0, expected=expected)

    @torch.no_grad()
    def _begin(self, group: Group, parameter: Parameter) -> None:
        weight, settings = parameter.detach(), _settings(group)
        _, _, l1, l2 = settings
        n = torch.zeros_like(weight)
        z = -(weight * (_curvature(n, settings) + l2) + weight.sign() * l1)
        self.state[parameter] = {"z": z, "n": n, "settings": settings}

    def _update(self, touched: Touched) -> None:
        weight, rows, g = touched.parameter, touched.rows, touched.values
        state, settings = self.state[weight], _settings(touched.group)
        if tuple(state["settings"]) != settings:
            _change(weight, state, settings)
        kept = (state["z"], state["n"], weight)
        if rows is None:
            z, n, w = kept
        else:
            z, n, w = (one.index_select(0, rows) for one in kept)
        reached = n + g.square()
        z = z + g - (reached.sqrt() - n.sqrt()) / settings[0] * w
        new = (z, reached, _weights(z, reached, settings))
        for whole, changed in zip(kept, new, strict=True):
            if rows is None:
                whole.copy_(changed)
            else:
                whole.index_copy_(0, rows, changed)


def _settings(group: Group) -> tuple[float, ...]:
    return tuple(float(group[name]) for name in ("lr", "beta", "l1", "l2"))


def _curvature(n: Tensor, settings: tuple[float, ...]) -> Tensor:
    lr, beta, _, _ = settings
    return (beta + n.sqrt()) / lr


def _weights(z: Tensor, n: Tensor, settings: tuple[float, ...]) -> Tensor:
    """Give the weights that minimise what z and n stand for."""
    _, _, l1, l2 = settings
    return -shrink(z, l1) / (_curvature(n, settings) + l2)


def _change(weight: Tensor, state: dict[str, Any], settings: tuple[float, ...]) -> None:
    """Go on with other settings: rates move z, penalties move weights."""
    before, z, n = tuple(state["settings"]), state["z"], state["n"]
    z.sub_((_curvature(n, settings) - _curvature(n, before)) * weight)
    if before[2:] != settings[2:]:
        weight.copy_(_weights(z, n, settings))
    state["settings"] = settings
