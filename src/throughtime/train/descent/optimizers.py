"""The optimisers of PyTorch, by name."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from throughtime.errors import UnfitOption
from throughtime.train.descent.by_name import (
    classes,
    find,
    is_number,
    largest,
    options_of,
    unknown_option,
)

_SPARSE = "it waits for the rows of sparse gradients, and those of a network are dense"
_REFUSED = {
    "lbfgs": "it computes the loss several times for one step",
    "muon": "it takes matrices alone, and a network has vectors as well",
    "sparseadam": "it takes sparse gradients, and those of a network are dense",
    "ftrlproximal": _SPARSE,
    "lazyadagrad": _SPARSE,
    "lazyfobos": _SPARSE,
    "lazysgd": _SPARSE,
}


OPTIMIZERS = classes(torch.optim, Optimizer, _REFUSED)
# Their first step widths, by whose they are like; all others have PyTorch's own.
LIKE = {
    "adamax": "adam",
    "adamw": "adam",
    "nadam": "adam",
    "radam": "adam",
    "asgd": "sgd",
}
# One compiled pass over all weights.
_FUSED = {"adam", "adamw"}
# These have options of their own, or say how a step is computed and not which.
_ELSEWHERE = {"params", "lr", "weight_decay", "momentum"}
_HOW = {"foreach", "fused", "capturable", "differentiable", "maximize"}
_FURTHER = "optimizer_options"


def find_optimizer(given: object) -> str:
    """Return the name of an optimiser as it is kept, in lower case.

    Raises
    ------
    UnfitChoice, UnknownChoice
        It is none, or none that can be used.
    """
    return find("optimizer", given, OPTIMIZERS, _REFUSED)


def first_rate(name: str, rates: Mapping[str, float]) -> float:
    """Return the first step width of an optimiser.

    Parameters
    ----------
    name
        Which.
    rates
        What suits the data, for `"adam"` and `"sgd"`.
    """
    like = LIKE.get(name, name)
    return rates.get(like) or _arguments(name)["lr"].default


def make_optimizer(
    name: str,
    parameters: Sequence[nn.Parameter],
    learning_rate: float,
    weight_decay: float | None,
    momentum: float | None,
    options: Mapping[str, Any],
) -> Optimizer:
    """Build an optimiser.

    Weights decay where they are matrices: not biases, gains, peepholes, and other
    vectors.

    Parameters
    ----------
    name
        One of `OPTIMIZERS`.
    parameters
        What it changes.
    learning_rate
        The first step width.
    weight_decay, momentum
        None: the optimiser's own.
    options
        Its further arguments.
    """
    said = {
        option: tuple(value) if isinstance(value, list) else value
        for option, value in options.items()
    }
    if momentum is not None:
        said["momentum"] = momentum
    if name in _FUSED:
        said["fused"] = True
    arguments = _arguments(name)
    if weight_decay is None and "weight_decay" in arguments:
        weight_decay = arguments["weight_decay"].default
    groups: Any = list(parameters)
    if weight_decay is not None:
        said["weight_decay"] = weight_decay
    if weight_decay:
        matrices = [one for one in parameters if one.dim() > 1]
        vectors = [one for one in parameters if one.dim() <= 1]
        groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    kind: Any = OPTIMIZERS[name]
    return kind(groups, lr=learning_rate, **said)


def load_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Let an optimiser go on from its `state_dict`.

    PyTorch reads what it holds as numbers of the weights' kind; some are of another,
    and so are put back as they were.
    """
    optimizer.load_state_dict(dict(state))
    places = [one for group in optimizer.param_groups for one in group["params"]]
    for place, kept in state["state"].items():
        own = optimizer.state[places[place]]
        for name, value in kept.items():
            if isinstance(value, torch.Tensor) and own[name].dtype != value.dtype:
                own[name] = value.to(own[name].device, copy=True)


def check_optimizer(
    name: str,
    learning_rate: float,
    weight_decay: float | None,
    momentum: float | None,
    options: Mapping[str, Any],
    dtype: torch.dtype,
) -> None:
    """Refuse what an optimiser does not take, or what it cannot be.

    Raises
    ------
    UnfitOption
        The message names it, and what the optimiser takes.
    """
    said = {"momentum": momentum, "weight_decay": weight_decay}
    for argument, value in said.items():
        if value is not None and argument not in _arguments(name):
            raise _unfit(argument, value, name, "it has none", "None")
    known = options_of(OPTIMIZERS[name], _ELSEWHERE | _HOW)
    for option, value in options.items():
        one = {option: value}
        if option not in known:
            raise unknown_option(_FURTHER, one, _named(name), known)
        if not _of_kind(value, known[option]):
            expected = f"such as {known[option]!r}"
            raise _unfit(_FURTHER, one, name, "of another kind", expected)
    some = [nn.Parameter(torch.zeros(n, dtype=dtype)) for n in [(1, 1), (1,)]]
    try:
        _try(make_optimizer(name, some, learning_rate, weight_decay, momentum, options))
    except (ValueError, ZeroDivisionError) as error:
        given = {n: v for n, v in {**said, **options}.items() if v is not None}
        reason, expected = str(error).rstrip("."), "values in their ranges"
        raise _unfit(_FURTHER, given, name, reason, expected) from None
    except (RuntimeError, OverflowError):
        # PyTorch's own words name none of the numbers.
        most, words = largest(dtype)
        given = {"learning_rate": learning_rate}
        for argument, value in {**said, **options}.items():
            if any(abs(one) > most for one in _numbers(value)):
                given = {argument: value}
        reason, expected = f"its steps are beyond {words}", "a smaller number"
        (argument, value), *_ = given.items()
        if argument in options:
            argument, value = _FURTHER, given
        raise _unfit(argument, value, name, reason, expected) from None


def _try(optimizer: Optimizer) -> None:
    """Take two steps: the second one has all that an optimiser keeps of the first."""
    for group in optimizer.param_groups:
        for one in group["params"]:
            one.grad = torch.ones_like(one)
    optimizer.step()
    optimizer.step()


def _numbers(value: Any) -> Iterable[Any]:
    several = value if isinstance(value, Sequence) else [value]
    return filter(is_number, several)


def _arguments(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(OPTIMIZERS[name]).parameters


def _of_kind(value: object, default: object) -> bool:
    """Whether a value is of the kind of the default one; a number is finite."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, tuple):
        several = isinstance(value, Sequence) and len(value) == len(default)
        return several and all(map(is_number, value))
    return is_number(value)


def _named(name: str) -> str:
    return f"optimizer={name!r}"


def _unfit(
    argument: str, value: object, name: str, reason: str, expected: str
) -> UnfitOption:
    return UnfitOption(
        argument=argument,
        given=value,
        of=_named(name),
        reason=reason,
        expected=expected,
    )
