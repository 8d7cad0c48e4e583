"""Derivatives of a layer's derivatives: those of its tangent, a layer as well.

Backward, a layer gives ``Jᵀ g`` for a gradient ``g`` of its output. For errors ``v`` of
that result, ``⟨v, Jᵀ g⟩ = ⟨g, J v⟩``, and ``J v`` is the output of the tangent cell
where everything changes at the rates ``v``: run forward, it is the derivative by ``g``,
and its own backward pass gives those by everything else. It is made of the same two
calls, so derivatives of every order follow. Products take float32 where the layer's
took bfloat16.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from throughtime.graph.random_values import is_random
from throughtime.graph.serialize import from_json, text_of
from throughtime.graph.tangent import tangent

Optional = Sequence[Tensor | None]
"""Rates or gradients; None stands for 0."""


class Where(NamedTuple):
    """Where rows lie and how they are run, as in `execution.run_layer`."""

    counts: Tensor | None
    steps: int
    batch: int
    reverse: bool
    segment: int
    bfloat16: bool


FIELDS = len(Where._fields)


class Names(NamedTuple):
    """Of a graph's inputs, states and parameters, in their order."""

    inputs: tuple[str, ...]
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    keys: int
    """1 if behind the parameters of a call stands a key to draw with, else 0."""


class Call(NamedTuple):
    """What a layer is called with, as `calls.forward` takes it."""

    graph: str
    wanted: str
    inputs: Sequence[Tensor]
    initial: Sequence[Tensor]
    parameters: Sequence[Tensor]
    where: Where


class Rates(NamedTuple):
    """Of the tensors of a call."""

    inputs: Optional
    initial: Optional
    parameters: Optional


class Gradients(NamedTuple):
    """Of what a layer returns."""

    output: Tensor
    finals: Optional


class Ways(NamedTuple):
    """`calls.forward` and `calls.backward`, in a form that can be differentiated."""

    forward: Callable[..., Sequence[Tensor]]
    backward: Callable[..., Sequence[Tensor]]


@lru_cache(maxsize=512)
def names_of(text: str) -> Names:
    """Names of a graph that is given as JSON."""
    graph = from_json(text)
    return Names(
        ("x", *(declared.name for declared in graph.inputs)),
        tuple(state.name for state in graph.states),
        tuple(declared.name for declared in graph.parameters),
        int(is_random(graph)),
    )


def divide(
    tensors: Sequence[Any], sizes: tuple[int, int]
) -> tuple[list[Any], list[Any], list[Any]]:
    """Inputs, initial states, parameters of a flat row of tensors."""
    first, second = sizes[0], sum(sizes)
    return list(tensors[:first]), list(tensors[first:second]), list(tensors[second:])


def spread(
    names: Iterable[str], wanted: str, gradients: Optional, count: int = 0
) -> list[Tensor | None]:
    """Gradients in the places of all inputs; None for inputs that nobody wants.

    There are at least ``count`` of them: a key, which stands last, has none.
    """
    some = wanted.split()
    found = iter(gradients[: len(some)])
    places = [next(found) if name in some else None for name in names]
    places += gradients[len(some) :]
    return places + [None] * (count - len(places))


def gathered(names: Sequence[str], wanted: str, values: Optional) -> Optional:
    """The other way: values of wanted inputs alone, and all that follow."""
    some = wanted.split()
    kept = [value for name, value in zip(names, values, strict=False) if name in some]
    return [*kept, *values[len(names) :]]


def forward_rates(ways: Ways, call: Call, rates: Rates, training: bool) -> Optional:
    """Rates of the output and of the final states.

    ``training`` says whether a backward pass may follow.
    """
    states = len(names_of(call.graph).states)
    if _all_none(chain(*rates)):
        return [None] * (1 + states)
    lifted = _lifted(call, rates)
    output, *finals, _ = _forward(ways, lifted, training)
    return [output, *finals[states:]]


def backward_rates(
    ways: Ways,
    call: Call,
    stored: tuple[Tensor, Tensor],
    gradients: Gradients,
    rates: Rates,
    rates_of_gradients: tuple[Tensor | None, Optional],
) -> Optional:
    """Rates of what the backward pass gives: of wanted inputs, states, parameters.

    ``stored`` are the output and the saved rows.
    """
    names = names_of(call.graph).inputs
    terms: list[Optional] = []
    of_output, of_finals = rates_of_gradients
    if of_output is not None or not _all_none(of_finals):
        whole = torch.zeros_like(stored[0]) if of_output is None else of_output
        terms.append(_backward(ways, call, *stored, Gradients(whole, of_finals)))
    if not _all_none(chain(*rates)):
        second = _second(ways, call, rates, gradients)[1]
        terms.append(gathered(names, call.wanted, second))
    if len(terms) == 2:
        return [_sum(one, other) for one, other in zip(*terms, strict=True)]
    return terms[0] if terms else [None] * _results(call)


def backward_gradients(
    ways: Ways, call: Call, gradients: Gradients, errors: Optional, *, everything: bool
) -> Optional:
    """Gradients of a backward pass, of which ``errors`` are those of its results.

    Of the inputs, states and parameters if ``everything`` is asked for, else None in
    their places; then of the gradients that it was given.
    """
    names = names_of(call.graph)
    places = spread(names.inputs, call.wanted, errors)
    sizes = len(call.inputs), len(call.initial)
    rates = Rates(*divide(places, sizes))
    given = gradients.output, *gradients.finals
    if _all_none(chain(*rates)):
        return [None] * (len(places) + names.keys + len(given))
    if everything:
        found, own = _second(ways, call, rates, gradients)
    else:
        found = forward_rates(ways, call, rates, torch.is_grad_enabled())
        own = [None] * len(places)
    asked = [
        None if gradient is None else rate
        for gradient, rate in zip(given, found, strict=True)
    ]
    return [*own, *[None] * names.keys, *asked]


def _second(
    ways: Ways, call: Call, rates: Rates, gradients: Gradients
) -> tuple[Optional, Optional]:
    """Rates of the results; gradients of ⟨gradients, rates⟩ by all but a key."""
    lifted = _lifted(call, rates)
    states = len(gradients.finals)
    output, *finals, saved = _forward(ways, lifted, True)
    behind = Gradients(
        output=gradients.output, finals=[None] * states + [*gradients.finals]
    )
    found = _backward(ways, lifted, output, saved, behind)
    groups = divide(
        spread(names_of(lifted.graph).inputs, lifted.wanted, found),
        (len(lifted.inputs), len(lifted.initial)),
    )
    counts = len(call.inputs), len(call.initial), len(names_of(call.graph).parameters)
    own = [
        gradient
        for group, count in zip(groups, counts, strict=True)
        for gradient in group[:count]
    ]
    return [output, *finals[states:]], own


def _lifted(call: Call, rates: Rates) -> Call:
    """The call of the tangent cell."""
    names = names_of(call.graph)
    count = len(names.parameters)
    own = _all_or_none(call.parameters[:count], rates.parameters[:count])
    changing = [
        name
        for name, rate in zip(
            (*names.inputs, *names.parameters), (*rates.inputs, *own), strict=True
        )
        if rate is not None
    ]
    graph = _tangent(call.graph, tuple(changing))
    wanted = call.wanted
    if torch.is_grad_enabled():
        # Someone may come and ask how this depends on the rates.
        wanted = " ".join(
            [*wanted.split(), *names_of(graph).inputs[len(call.inputs) :]]
        )
    starts = [
        torch.zeros_like(start) if rate is None else rate
        for start, rate in zip(call.initial, rates.initial, strict=True)
    ]
    return Call(
        graph,
        wanted,
        [*call.inputs, *_given(rates.inputs)],
        [*call.initial, *starts],
        # A key stands last, and the tangent draws what the layer drew.
        [
            *call.parameters[:count],
            *_given(own),
            *call.parameters[count:],
        ],
        call.where._replace(bfloat16=False),
    )


def _all_or_none(parameters: Sequence[Tensor], rates: Optional) -> Optional:
    """Zeros for rates that are missing where others are there.

    Each set of changing parameters would be a cell of its own to compile, and there
    are as many of them as subsets.
    """
    if _all_none(rates):
        return rates
    return [
        torch.zeros_like(value) if rate is None else rate
        for value, rate in zip(parameters, rates, strict=True)
    ]


@lru_cache(maxsize=512)
def _tangent(text: str, changing: tuple[str, ...]) -> str:
    return text_of(tangent(from_json(text), changing))


def _forward(ways: Ways, call: Call, training: bool) -> Sequence[Tensor]:
    graph, wanted, *tensors, where = call
    return ways.forward(graph, training, wanted, *tensors, *where)


def _backward(
    ways: Ways, call: Call, output: Tensor, saved: Tensor, gradients: Gradients
) -> Sequence[Tensor]:
    graph, wanted, *tensors, where = call
    return ways.backward(graph, wanted, *tensors, *where, output, saved, *gradients)


def _results(call: Call) -> int:
    """How many tensors a backward pass gives."""
    parameters = len(names_of(call.graph).parameters)
    return len(call.wanted.split()) + len(call.initial) + parameters


def _given(values: Optional) -> list[Tensor]:
    return [value for value in values if value is not None]


def _all_none(values: Iterable[Tensor | None]) -> bool:
    return all(value is None for value in values)


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
