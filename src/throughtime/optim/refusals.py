"""What has no exact lazy form, why, and what is the nearest that has one.

A row that is not touched must be brought up to date later by one formula. That is
possible where a step of the regulariser depends on the weight and the rate alone, or on
what changes with a gradient only.
"""

import math
from collections.abc import Mapping
from typing import Any

from throughtime.errors.optim import BadHyperparameter, NoExactForm, NoSuchOptimiser

_MOMENTUM = (
    "a velocity goes on moving every row, and with l1 the sign of a weight may turn "
    "anywhere on its way"
)
_MOMENTS = (
    "its moments go on moving every row, by a rate with eps > 0 under a fraction whose "
    "sum over the steps has no closed form"
)

# Arguments of torch's optimisers: the value that means nothing, reason, nearest.
_ARGUMENTS: dict[str, tuple[object, str, str]] = {
    "momentum": (0, _MOMENTUM, "leave it at 0, or take LazyAdagrad"),
    "nesterov": (False, _MOMENTUM, "leave it out"),
    "dampening": (0, "there is no momentum to dampen", "leave it at 0"),
    "weight_decay": (
        0,
        "decay of this name is coupled to the gradient in one optimiser of torch and "
        "apart from it in the next",
        "the penalty by its name, l2",
    ),
    "lr_decay": (
        0,
        "the rate of each weight would change while its row waits",
        "leave it at 0, and change lr now and then, which settles every row",
    ),
    "betas": ((0, 0), _MOMENTS, "LazyAdagrad"),
    "amsgrad": (False, _MOMENTS, "LazyAdagrad"),
    "maximize": (False, "the penalties are minimised", "the negative loss"),
    "differentiable": (False, "what waits is no part of a graph", "leave it out"),
}

_OPTIMISERS = {
    "LazyAdam": (_MOMENTS, "LazyAdagrad"),
    "LazyAdamW": (_MOMENTS, "LazyAdagrad"),
    "LazyRMSprop": (_MOMENTS, "LazyAdagrad"),
    "LazyMomentum": (_MOMENTUM, "LazySGD"),
}


def refuse_arguments(kind: str, given: Mapping[str, Any]) -> None:
    """Refuse what has no exact form; ``momentum=0`` may be said."""
    for name, value in given.items():
        if name not in _ARGUMENTS:
            raise TypeError(f"{kind}() got an unexpected keyword argument {name!r}")
        nothing, reason, nearest = _ARGUMENTS[name]
        if value is not None and value != nothing:
            argument = f"{name}={value!r} of {kind}"
            raise NoExactForm(given=argument, reason=reason, nearest=nearest)


def missing(name: str) -> AttributeError:
    """Give the error for a name that the room does not have."""
    if name in _OPTIMISERS:
        reason, nearest = _OPTIMISERS[name]
        return NoSuchOptimiser(given=name, reason=reason, nearest=nearest)
    return AttributeError(f"module 'throughtime.optim' has no attribute {name!r}")


def check_numbers(group: Mapping[str, Any], least: Mapping[str, bool]) -> None:
    """Refuse hyperparameters that are no finite numbers, or too small.

    Parameters
    ----------
    group
        A parameter group.
    least
        For each name whether zero is allowed.
    """
    for name, zero in least.items():
        value = group[name]
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError):
            number = math.nan
        right = math.isfinite(number) and (number >= 0 if zero else number > 0)
        if isinstance(value, bool) or not right:
            expected = f"a finite number {'of at least' if zero else 'above'} 0"
            raise BadHyperparameter(argument=name, given=value, expected=expected)
