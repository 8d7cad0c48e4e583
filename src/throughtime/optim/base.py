"""What all optimisers of this room share: whole rows in, one step of all or none."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from throughtime.errors.optim import BadRows, UnsuitableParameter, WhichParameter
from throughtime.optim.refusals import check_numbers, refuse_arguments
from throughtime.optim.rows import gradient_rows

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Group = dict[str, Any]


@dataclass(frozen=True)
class Touched:
    """A parameter with a gradient: its group, the rows (None: all) and their values."""

    group: Group
    parameter: Parameter
    rows: Tensor | None
    values: Tensor


class RowOptimizer(Optimizer, ABC):
    """An optimiser for gradients of whole rows, sparse or dense.

    Nothing is ever pending here; `LazyOptimizer` adds what is.
    """

    # Each hyperparameter, and whether it may be zero.
    _numbers: ClassVar[dict[str, bool]] = {}

    def __init__(
        self, params: Parameters, defaults: dict[str, Any], others: dict[str, Any]
    ) -> None:
        refuse_arguments(type(self).__name__, others)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            self._check_group(group)
            for parameter in group["params"]:
                self._check_parameter(parameter)
        except Exception:
            self.param_groups.pop()
            raise
        for parameter in group["params"]:
            self._begin(group, parameter)

    def settle(self) -> None:
        """Apply everything that is pending, so that all weights can be read."""

    def catch_up(self, rows: Tensor, parameter: Parameter | None = None) -> None:
        """Apply what is pending for some rows, before something reads them.

        Modules that own the parameter do it themselves. A functional lookup
        (``F.embedding(ids, weight)``) and a module under `torch.compile` do not.

        Parameters
        ----------
        rows
            Row numbers, of any shape; they may be repeated.
        parameter
            Whose rows; may be left out where the optimiser has one parameter.
        """
        chosen = self._chosen(parameter)
        whole = isinstance(rows, Tensor) and not (
            rows.is_floating_point() or rows.is_complex() or rows.dtype == torch.bool
        )
        last = len(chosen) - 1
        if not whole or (rows.numel() and not 0 <= rows.min() <= rows.max() <= last):
            given = _told(rows)
            raise BadRows(given=given, last=last, parameter=self._name_of(chosen))
        self._catch_up(chosen, rows.detach().reshape(-1).to(torch.int64))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with the gradients that are there.

        Parameters
        ----------
        closure
            Computes the loss and its gradients anew; its result is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        touched = [
            Touched(group, one, *gradient_rows(one, self._name_of(one)))
            for group in self.param_groups
            for one in group["params"]
            if one.grad is not None
        ]
        for group in {id(one.group): one.group for one in touched}.values():
            self._check_group(group)
        for one in touched:
            self._check(one)
        for one in touched:
            self._update(one)
        return loss

    # ------------------------------------------------------------- what subclasses say
    def _begin(self, group: Group, parameter: Parameter) -> None:
        """Make what is kept for a parameter."""

    def _check(self, touched: Touched) -> None:
        """Refuse a gradient, before any parameter is changed."""

    @abstractmethod
    def _update(self, touched: Touched) -> None:
        """Change a parameter."""

    def _catch_up(self, parameter: Parameter, rows: Tensor) -> None:
        """Apply what is pending for rows ``(n,)`` that exist."""

    def _check_group(self, group: Group) -> None:
        check_numbers(group, self._numbers)

    # ---------------------------------------------------------------------- parameters
    def _check_parameter(self, parameter: Parameter) -> None:
        strided = parameter.layout == torch.strided
        if not (strided and parameter.is_floating_point() and parameter.dim()):
            kind = f"{parameter.layout} of {parameter.dtype}"
            given = f"{kind}, shape {_shape(parameter)}"
            name = self._name_of(parameter)
            raise UnsuitableParameter(parameter=name, given=given)

    def _chosen(self, parameter: Parameter | None) -> Parameter:
        known = [one for group in self.param_groups for one in group["params"]]
        if parameter is None and len(known) == 1:
            return known[0]
        if parameter is not None and any(one is parameter for one in known):
            return parameter
        given = None if parameter is None else f"a tensor {_shape(parameter)}"
        raise WhichParameter(given=given, count=len(known))

    def _name_of(self, parameter: Parameter) -> str:
        for number, group in enumerate(self.param_groups):
            for place, one in enumerate(group["params"]):
                if one is parameter and "param_names" in group:
                    return f"parameter {group['param_names'][place]!r}"
                if one is parameter:
                    where = f"parameter {place} of group {number}"
                    return f"{where}, shape {_shape(parameter)}"
        return f"a parameter of shape {_shape(parameter)}"


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _told(rows: Any) -> str:
    if not isinstance(rows, Tensor):
        return type(rows).__name__
    if not rows.numel() or rows.is_complex():
        return f"a tensor of {rows.dtype}"
    return f"numbers from {rows.min().item()} to {rows.max().item()} ({rows.dtype})"
