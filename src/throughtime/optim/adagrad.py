"""AdaGrad with elastic net: a rate for each weight, which rests while its row does."""

from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from throughtime.optim.base import Group, Parameters, Touched
from throughtime.optim.flow import follow, shrink
from throughtime.optim.lazy import LazyOptimizer
from throughtime.optim.pending import Decay, over_rows


def _decayed(
    weight: Tensor,
    waited: Tensor,
    rows: Tensor | slice,
    *,
    squares: Tensor,
    settings: tuple[float, ...],
) -> Tensor:
    """Follow the flow for a number of equal steps, each weight at its own rate."""
    lr, l1, l2, eps = settings
    rate = _rate(squares[rows], lr, eps)
    time = rate.mul(l2).log1p_().div_(l2) if l2 else rate
    steps = over_rows(waited, weight).to(weight.dtype)
    return follow(weight, steps * time, l1, l2)


def _rate(squares: Tensor, lr: float, eps: float) -> Tensor:
    return lr / squares.sqrt().add_(eps)


class LazyAdagrad(LazyOptimizer):
    """AdaGrad with elastic net, where unused rows cost nothing.

    A step is, for every weight w with gradient g of the loss ::

        G = G + g²
        c = lr / (√G + eps)
        u = w − c g
        w = sign(u) max(|u| − c l1, 0) / (1 + c l2)

    the proximal step at each weight's own rate c. G rests while a row is not used, so
    its steps are equal ones and can be applied all at once. With l1 = l2 = 0 it is
    `torch.optim.Adagrad`. All else is as in `LazySGD`.

    Parameters
    ----------
    params
        Parameters or groups of them, rows along the first dimension: ``(d, …)``.
    lr
        The base rate, constant: when it is changed, every row is settled once under
        the old one. Now and then that costs nothing; a schedule that changes it at
        each step makes each step as slow as a dense one.
    l1, l2
        Penalties: l1 Σ|w| + l2/2 Σw² is added to the loss.
    initial_accumulator_value
        Where G starts, above 0 where there are penalties: with torch's 0 the rate of a
        weight that never had a gradient is ``lr / eps``, and the first step of the
        regulariser makes it zero.
    eps
        Added to √G.
    **others
        Arguments of torch's optimisers, which are refused with the reason unless they
        mean nothing.

    References
    ----------
    Duchi, Hazan & Singer 2011, JMLR 12:2121.
    """

    _numbers: ClassVar[dict[str, bool]] = {
        "lr": True,
        "l1": True,
        "l2": True,
        "initial_accumulator_value": True,
        "eps": True,
    }

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        initial_accumulator_value: float = 0.1,
        eps: float = 1e-10,
        **others: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "l1": l1,
            "l2": l2,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        }
        super().__init__(params, defaults, others)

    def _settings(self, group: Group) -> tuple[float, ...]:
        return tuple(float(group[name]) for name in ("lr", "l1", "l2", "eps"))

    def _decay(self, group: Group, parameter: Parameter) -> Decay:
        state = self.state[parameter]
        if "sum" not in state:
            start = float(group["initial_accumulator_value"])
            state["sum"] = torch.full_like(parameter.detach(), start)
        settings = self._settings(group)
        return partial(_decayed, squares=state["sum"], settings=settings)

    def _time(self, group: Group) -> float:
        return 1.0 if group["l1"] or group["l2"] else 0.0

    def _stepped(self, touched: Touched, weight: Tensor) -> Tensor:
        lr, l1, l2, eps = self._settings(touched.group)
        squares, rows = self.state[touched.parameter]["sum"], touched.rows
        added = touched.values.square()
        if rows is None:
            reached = squares.add_(added)
        else:
            reached = squares.index_select(0, rows).add_(added)
            squares.index_copy_(0, rows, reached)
        rate = _rate(reached, lr, eps)
        weight = weight - rate * touched.values
        weight = shrink(weight, rate * l1) if l1 else weight
        return weight / (1 + rate * l2) if l2 else weight
