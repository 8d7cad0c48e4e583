"""Stochastic gradient descent and forward-backward splitting, with elastic net."""

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import Parameter

from throughtime.errors.optim import RateTooLarge
from throughtime.optim.base import Group, Parameters, Touched
from throughtime.optim.flow import follow, shrink, time_of_fobos, time_of_sgd
from throughtime.optim.fused import ElasticPending
from throughtime.optim.lazy import LazyOptimizer
from throughtime.optim.pending import Decay, Pending, over_rows


def _decayed(
    weight: Tensor, waited: Tensor, rows: Tensor | slice, *, l1: float, l2: float
) -> Tensor:
    return follow(weight, over_rows(waited, weight), l1, l2)


class _ElasticNet(LazyOptimizer):
    """One rate for all rows."""

    _kind = ElasticPending
    _numbers: ClassVar[dict[str, bool]] = {"lr": True, "l1": True, "l2": True}

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        **others: Any,
    ) -> None:
        super().__init__(params, {"lr": lr, "l1": l1, "l2": l2}, others)

    def _decay(self, group: Group, parameter: Parameter) -> Decay:
        return partial(_decayed, l1=float(group["l1"]), l2=float(group["l2"]))

    @abstractmethod
    def _step_of(self, group: Group) -> tuple[float, float, float, float]:
        """Give keep, rate, amount and scale of a step.

        u = keep w − rate g, w = sign(u) max(|u| − amount, 0) scale.
        """

    def _stepped(self, touched: Touched, weight: Tensor) -> Tensor:
        keep, rate, amount, scale = self._step_of(touched.group)
        weight = (weight * keep).sub(touched.values, alpha=rate)
        return shrink(weight, amount).mul_(scale)

    def _step_all(self, pending: Pending, touched: Touched) -> None:
        assert isinstance(pending, ElasticPending)
        if not pending.update_all(touched.values, self._step_of(touched.group)):
            super()._step_all(pending, touched)

    def _step_rows(self, pending: Pending, touched: Touched, rows: Tensor) -> None:
        assert isinstance(pending, ElasticPending)
        time, step = self._time(touched.group), self._step_of(touched.group)
        if not pending.update(rows, touched.values, time, step):
            super()._step_rows(pending, touched, rows)


class LazySGD(_ElasticNet):
    """Stochastic gradient descent with elastic net, where unused rows cost nothing.

    A step is, for every weight w with gradient g of the loss ::

        u = w − lr (g + l2 w)
        w = sign(u) max(|u| − lr l1, 0)

    so with l1 = 0 it is `torch.optim.SGD` with ``weight_decay=l2``. Rows that a sparse
    gradient leaves out have g = 0; their steps are put off until somebody reads them,
    and then applied all at once, by a formula that is exact for every schedule of lr.

    Modules that own a parameter catch up the rows that their input names; `state_dict`,
    saving, loading, copying and evaluation see settled weights. Before a functional
    lookup call `catch_up`; before reading ``parameter.data`` call `settle`.

    Parameters
    ----------
    params
        Parameters or groups of them, as for torch's optimisers. Rows are along the
        first dimension: ``(d, …)``.
    lr
        Learning rate; ``lr * l2`` must be less than 1. A scheduler may change it.
    l1, l2
        Penalties: l1 Σ|w| + l2/2 Σw² is added to the loss. Groups may have their own.
        A change in the middle settles every row once.
    **others
        Arguments of torch's optimisers, which are refused with the reason unless they
        mean nothing (``momentum=0``).

    References
    ----------
    Lipton & Elkan 2015, arXiv:1505.06449.
    """

    def _check_group(self, group: Group) -> None:
        super()._check_group(group)
        lr, l2 = float(group["lr"]), float(group["l2"])
        if lr * l2 >= 1:
            raise RateTooLarge(lr=lr, l2=l2, product=lr * l2)

    def _time(self, group: Group) -> float:
        lr, l1, l2 = (float(group[name]) for name in ("lr", "l1", "l2"))
        return time_of_sgd(lr, l2) if l1 or l2 else 0.0

    def _step_of(self, group: Group) -> tuple[float, float, float, float]:
        lr, l1, l2 = (float(group[name]) for name in ("lr", "l1", "l2"))
        return 1 - lr * l2, lr, lr * l1, 1.0


class LazyFOBOS(_ElasticNet):
    """Forward-backward splitting with elastic net, where unused rows cost nothing.

    A step is, for every weight w with gradient g of the loss ::

        u = w − lr g
        w = sign(u) max(|u| − lr l1, 0) / (1 + lr l2)

    the proximal step, which makes exact zeros by l1 and is stable for any lr and l2.
    All else is as in `LazySGD`.

    Parameters
    ----------
    params
        Parameters or groups of them, rows along the first dimension: ``(d, …)``.
    lr
        Learning rate. A scheduler may change it.
    l1, l2
        Penalties: l1 Σ|w| + l2/2 Σw² is added to the loss.
    **others
        Arguments of torch's optimisers, which are refused with the reason unless they
        mean nothing.

    References
    ----------
    Duchi & Singer 2009, JMLR 10:2899; Lipton & Elkan 2015, arXiv:1505.06449.
    """

    def _time(self, group: Group) -> float:
        lr, l1, l2 = (float(group[name]) for name in ("lr", "l1", "l2"))
        return time_of_fobos(lr, l2) if l1 or l2 else 0.0

    def _step_of(self, group: Group) -> tuple[float, float, float, float]:
        lr, l1, l2 = (float(group[name]) for name in ("lr", "l1", "l2"))
        return 1.0, lr, lr * l1, 1 / (1 + lr * l2)
