"""The optimisers of PyTorch, and those of sparse gradients, by name."""

import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim import SGD, Optimizer

from throughtime.errors import UnfitOption
from throughtime.errors.optim import NoExactForm, RateTooLarge
from throughtime.optim import FTRLProximal, LazyAdagrad, LazyFOBOS, LazySGD
from throughtime.optim.base import RowOptimizer
from throughtime.optim.refusals import refuse_arguments
from throughtime.train.descent.by_name import (
    classes,
    find,
    is_number,
    largest,
    options_of,
    unknown_option,
)

_REFUSED = {
    "lbfgs": "it computes the loss several times for one step",
    "muon": "it takes matrices alone, and a network has vectors as well",
    "sparseadam": "it takes sparse gradients alone, and those of a network are dense, "
    "but for the weights that read a sparse input",
}
PENALISING: Mapping[str, type[RowOptimizer]] = {
    "ftrl-proximal": FTRLProximal,
    "lazy-adagrad": LazyAdagrad,
    "lazy-fobos": LazyFOBOS,
    "lazy-sgd": LazySGD,
}
"""Those that have l1 and l2, and take the gradients of some rows as they are."""
STEADY: Mapping[str, str] = {
    "ftrl-proximal": "each change of its rate moves the sums of every row",
    "lazy-adagrad": "each change of its base rate settles every row",
}
"""Those whose step width is to stay for many updates, and why."""

OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    **classes(torch.optim, Optimizer, _REFUSED),
    **PENALISING,
}
# Their first step widths, by whose they are like; all others have their own.
LIKE = {
    "adamax": "adam",
    "adamw": "adam",
    "nadam": "adam",
    "radam": "adam",
    "asgd": "sgd",
    "lazy-fobos": "sgd",
    "lazy-sgd": "sgd",
}
# With their own defaults, 0.01 and 0.1, small networks learn several times more slowly.
_FIRST = {"lazy-adagrad": 0.1, "ftrl-proximal": 0.3}
# One compiled pass over all weights.
_FUSED = {"adam", "adamw"}
_PENALTIES = ("l1", "l2")
_NAMED = ("momentum", "weight_decay", *_PENALTIES)
# These have options of their own, or say how a step is computed and not which.
_ELSEWHERE = {"params", "lr", "others", *_NAMED}
_HOW = {"foreach", "fused", "capturable", "differentiable", "maximize"}
_FURTHER = "optimizer_options"


class Descent(NamedTuple):
    """An optimiser by its name, and all that it is told.

    Parameters
    ----------
    name
        One of `OPTIMIZERS`.
    learning_rate
        The first step width.
    weight_decay, momentum
        None: the optimiser's own.
    l1, l2
        Penalties of the weights that read the input; None: none.
    options
        Its further arguments.
    """

    name: str
    learning_rate: float
    weight_decay: float | None
    momentum: float | None
    l1: float | None
    l2: float | None
    options: Mapping[str, Any]

    def said(self) -> dict[str, Any]:
        """Return the arguments that have names of their own and are given."""
        named = {name: getattr(self, name) for name in _NAMED}
        return {name: value for name, value in named.items() if value is not None}


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
    return rates.get(like) or _FIRST.get(name) or _arguments(name)["lr"].default


def make_optimizer(
    asked: Descent,
    parameters: Sequence[nn.Parameter],
    reading: Collection[nn.Parameter] = (),
) -> Optimizer:
    """Build an optimiser.

    Weights decay where they are matrices: not biases, gains, peepholes, and other
    vectors. Penalties are of the weights that read the input.

    Parameters
    ----------
    asked
        Which, and what it is told.
    parameters
        What it changes.
    reading
        Those that read the input.
    """
    told = {
        option: tuple(value) if isinstance(value, list) else value
        for option, value in asked.options.items()
    }
    if asked.momentum is not None:
        told["momentum"] = asked.momentum
    if asked.name in _FUSED:
        told["fused"] = True
    arguments, decay = _arguments(asked.name), asked.weight_decay
    if decay is None and "weight_decay" in arguments:
        decay = arguments["weight_decay"].default
    if decay is not None:
        told["weight_decay"] = decay
    if asked.name in PENALISING:
        pull = {"l1": asked.l1 or 0.0, "l2": asked.l2 or 0.0}
        groups = _divided(parameters, reading, pull)
    else:
        matrices = [one for one in parameters if one.dim() > 1]
        groups = _divided(parameters, matrices, {"weight_decay": decay or 0.0})
    kind: Any = OPTIMIZERS[asked.name]
    return kind(groups, lr=asked.learning_rate, **told)


def _divided(
    parameters: Sequence[nn.Parameter],
    pulled: Collection[nn.Parameter],
    pull: Mapping[str, float],
) -> list[Any]:
    """Give some parameters what pulls at them, and the others none of it."""
    if not any(pull.values()):
        return list(parameters)
    chosen = {id(one) for one in pulled}
    some = [one for one in parameters if id(one) in chosen]
    others = [one for one in parameters if id(one) not in chosen]
    none = dict.fromkeys(pull, 0.0)
    return [{"params": some, **pull}, {"params": others, **none}]


def takes_rows(optimizer: Optimizer) -> bool:
    """Whether an optimiser takes the gradients of some rows as they are.

    PyTorch's SGD does, where nothing moves or pulls at the other rows.
    """
    if not isinstance(optimizer, SGD):
        return isinstance(optimizer, RowOptimizer)
    groups = optimizer.param_groups
    return not any(group["weight_decay"] or group["momentum"] for group in groups)


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


def check_optimizer(asked: Descent, dtype: torch.dtype) -> None:
    """Refuse what an optimiser does not take, or what it cannot be.

    Raises
    ------
    UnfitOption
        The message names it, and what the optimiser takes.
    """
    name = asked.name
    for argument, value in asked.said().items():
        if argument not in _arguments(name):
            _refuse(name, argument, value)
    known = options_of(OPTIMIZERS[name], _ELSEWHERE | _HOW)
    for option, value in asked.options.items():
        one = {option: value}
        if option not in known:
            raise unknown_option(_FURTHER, one, _named(name), known)
        if not _of_kind(value, known[option]):
            expected = f"such as {known[option]!r}"
            raise _unfit(_FURTHER, one, name, "of another kind", expected)
    _try(asked, dtype)


def _refuse(name: str, argument: str, value: float) -> None:
    """Refuse an argument that an optimiser does not have.

    Those of l1 and l2 say why, and let pass what means nothing.
    """
    reason, expected = "it has none", "None"
    if argument in _PENALTIES:
        known = ", ".join(PENALISING)
        reason = "it has no such penalty"
        expected = f"weight_decay in its place, or an optimizer among {known}"
    if name in PENALISING:
        try:
            return refuse_arguments(name, {argument: value})
        except NoExactForm as error:
            reason = str(error.facts["reason"])
            expected = f"what has an exact form: {error.facts['nearest']}"
    raise _unfit(argument, value, name, reason, expected)


def _try(asked: Descent, dtype: torch.dtype) -> None:
    """Build it for some weights and take its first steps, to see whether it can."""
    name, given = asked.name, {**asked.said(), **asked.options}
    some = [nn.Parameter(torch.zeros(n, dtype=dtype)) for n in [(1, 1), (1,)]]
    try:
        _step(make_optimizer(asked, some, some[:1]))
    except RateTooLarge as error:
        reason = f"learning_rate * l2 = {error.facts['product']:g} turns every sign"
        expected = "a product below 1, or optimizer='lazy-fobos', which takes any"
        raise _unfit("l2", asked.l2, name, reason, expected) from None
    except (ValueError, ZeroDivisionError) as error:
        reason, expected = str(error).rstrip("."), "values in their ranges"
        raise _unfit(_FURTHER, given, name, reason, expected) from None
    except (RuntimeError, OverflowError):
        # PyTorch's own words name none of the numbers.
        most, words = largest(dtype)
        one: dict[str, Any] = {"learning_rate": asked.learning_rate}
        for argument, value in given.items():
            if any(abs(number) > most for number in _numbers(value)):
                one = {argument: value}
        reason, expected = f"its steps are beyond {words}", "a smaller number"
        ((argument, value),) = one.items()
        if argument in asked.options:
            argument, value = _FURTHER, one
        raise _unfit(argument, value, name, reason, expected) from None


def _step(optimizer: Optimizer) -> None:
    """Take two steps: the second one has all that an optimiser keeps of the first."""
    weights = [one for group in optimizer.param_groups for one in group["params"]]
    for one in weights:
        one.grad = torch.ones_like(one)
    optimizer.step()
    optimizer.step()
    # Compiled steps do not say it.
    whole = all(bool(one.isfinite().all()) for one in weights)
    if isinstance(optimizer, RowOptimizer) and not whole:
        raise OverflowError


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
