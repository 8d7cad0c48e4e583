"""WHERE a number that is not finite first appeared.

The batch is run once more with the same weights and masks, and looked at inside: its
values in the order in which they are computed, or the error that flows back through
them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from throughtime.graph.names import FUNCTIONS, value_names
from throughtime.nn import Recurrent, SparseSequences
from throughtime.nn.node_deltas import node_deltas
from throughtime.nn.sequences import state_values
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.gradients import numbers
from throughtime.train.model import Model
from throughtime.train.tasks import Answers, Rerun

# So many standard deviations from the mean, a number of the data is worth a word.
_OUTLIER = 6


class Call(NamedTuple):
    """What a network was given, and gave; `first` is the first of its steps."""

    random: Tensor
    first: int
    input: Any  # a tensor, or SparseSequences
    state: Any
    further: dict[str, Any]
    output: Tensor


def blame_values(model: Model, answers: Answers | None) -> str | None:
    """Say where the values of a batch first were not finite; None: all of them are.

    Parameters
    ----------
    model
        With the weights that answered.
    answers
        Those whose loss is not finite; None: they are not known any more.
    """
    weight = not_finite_weight(model)
    if weight is not None:
        return f"the last update has made the weight {weight} not finite"
    if answers is None or answers.rerun is None:
        return None
    calls, again = _again(model, answers.rerun)
    bad = ~again.penalised().isfinite()
    # Of a row whose loss is finite an infinite value has done no harm.
    rows = bad.any(0) if bad.dim() > 1 else bad
    if again.loss().isfinite():
        return None
    if not rows.any():
        return "every answer has a finite loss, but not all of them together"
    found = _first_of_values(model, calls, rows, answers.rerun)
    steps = sum(len(call.output) for call in calls)
    return found or _in_output(again, answers.rerun, steps)


def blame_gradient(model: Model, answers: Answers | None) -> str | None:
    """Say where the error that flows back through a batch first was not finite.

    None: the batch has a finite gradient.

    Parameters
    ----------
    model
        With the weights that answered.
    answers
        Those whose gradient is not finite; None: they are not known any more.
    """
    if answers is None or answers.rerun is None:
        return None
    calls, again = _again(model, answers.rerun)
    names, weights = zip(*model.named_parameters(), strict=True)
    outputs = [call.output for call in calls]
    # Computed anew: what clips a gradient may have left no number of it finite.
    found = torch.autograd.grad(again.loss(), [*weights, *outputs], allow_unused=True)
    slopes, errors = found[: len(weights)], found[len(weights) :]
    pairs = zip(names, slopes, strict=True)
    known = {name: numbers(slope) for name, slope in pairs if slope is not None}
    bad = [name for name, slope in known.items() if not slope.isfinite().all()]
    if not bad:
        if torch.nn.utils.get_total_norm(known.values()).isfinite():
            return None
        slopes = [slope for slope in known.values() if slope.numel()]
        largest = max(float(slope.abs().max()) for slope in slopes)
        return f"each of its numbers is finite, the largest {largest:.3g}"
    where = _first_of_values(model, calls, None, answers.rerun)
    if where is None:
        where = _first_error(model, calls, errors, answers.rerun)
    several = f" and of {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"that of {bad[0]}{several}" + (f": {where}" if where else "")


def not_finite_weight(model: Model) -> str | None:
    """Name the first weight that is not finite."""
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            return name
    return None


def advice(settings: Settings, *, first: bool) -> str:
    """Say what to do; `first`: at the first update of all."""
    if first:
        return "mend the equations of the cell, or the data: no weight has changed yet"
    rate = f"use a smaller learning_rate than {settings.learning_rate:g}"
    if not settings.clip:
        return f"{rate}, or a limit of the gradient, such as clip=1"
    return f"{rate}, or a smaller clip than {settings.clip:g}"


def _again(model: Model, rerun: Rerun) -> tuple[list[Call], Answers]:
    """Answer once more, and keep each call of the network."""
    calls: list[Call] = []
    before: list[Tensor] = []

    def enter(*_: Any) -> None:
        before.append(torch.get_rng_state())

    def leave(_: Any, given: Any, named: dict[str, Any], result: Any) -> None:
        state = given[1] if len(given) > 1 else named.get("state")
        other = {"state", "return_layers"}
        further = {name: value for name, value in named.items() if name not in other}
        sparse = isinstance(given[0], SparseSequences)
        input = given[0] if sparse else given[0].detach()
        first = sum(len(call.output) for call in calls)
        calls.append(Call(before[-1], first, input, state, further, result[0]))

    network = model.recurrent
    hooks = [
        network.register_forward_pre_hook(enter),
        network.register_forward_hook(leave, with_kwargs=True),
    ]
    try:
        with _drawing(rerun.random), torch.enable_grad():
            return calls, rerun.answer()
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _drawing(random: Tensor) -> Iterator[None]:
    """Draw the same again on the CPU; the generator is then as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(random)
        yield


def _first_of_values(
    model: Model, calls: list[Call], rows: Tensor | None, rerun: Rerun
) -> str | None:
    """Say where a value first was not finite, in rows ``(B,)`` or in any."""
    for call in calls:
        every = torch.ones(call.output.shape[1], dtype=torch.bool)
        found = _first_value(model, call, every if rows is None else rows, rerun)
        if found is not None:
            return found
    return None


def _first_value(model: Model, call: Call, rows: Tensor, rerun: Rerun) -> str | None:
    """Say it of one call: what it read, the state it began with, its values."""
    network = model.recurrent
    for name in network.input_sizes:
        read = call.input if name == "x" else call.further[name]
        if isinstance(read, SparseSequences):
            continue  # values that are not finite are refused where they are made
        spot = _first(~read.isfinite(), rows)
        if spot is not None:
            outlier = _outlier(model, read, *spot) if name == "x" else ""
            place = rerun.place(spot[1], call.first + spot[0])
            return f"first in the input {name} at {place}{outlier}"
    if call.state is not None:
        states = state_values(network, "state", call.state)
        for name, value in zip(network.state_names, states, strict=True):
            if not value[:, rows.to(value.device)].isfinite().all():
                return f"the state {name} that it goes on from is not finite"
    values = _values(network, call)
    found = _earliest(network, values, call, rows)
    if found is None:
        return None
    (layer, direction, name), step, row = found
    value = values[layer, direction, name][step, row]
    first = value[~value.isfinite()][0].item()
    outlier = "" if layer else _outlier(model, call.input, step, row)
    return (
        f"first in {_layer(layer, direction)}: {_called(network, layer, name)} is "
        f"{first:g} at {rerun.place(row, call.first + step)}{outlier}"
    )


def _values(network: Recurrent, call: Call) -> dict[tuple[int, int, str], Tensor]:
    """Every named value of a call, ``(T, B, n)``."""
    backend = network.backend
    if backend == "cudnn":
        network.backend = "auto"  # it gives no values out
    try:
        with _drawing(call.random), torch.no_grad():
            return network(call.input, call.state, return_all=True, **call.further)[-1]
    finally:
        network.backend = backend


def _first_error(
    model: Model, calls: list[Call], errors: Sequence[Tensor | None], rerun: Rerun
) -> str | None:
    """Say where the error that came to the network's outputs first was not finite."""
    for call, error in reversed(list(zip(calls, errors, strict=True))):
        if error is None:
            continue
        every = torch.ones(error.shape[1], dtype=torch.bool)
        spot = _first(~error.isfinite().flip(0), every)
        if spot is not None:
            step = call.first + len(error) - 1 - spot[0]
            place = rerun.place(spot[1], step)
            return f"first in the output layer at {place}"
        with _drawing(call.random):
            found = node_deltas(
                model.recurrent, call.input, error, call.state, **call.further
            )
        worst = _earliest(model.recurrent, found, call, every, backwards=True)
        if worst is not None:
            (layer, direction, name), step, row = worst
            place = rerun.place(row, call.first + step)
            return (
                f"the error that flows back is first not finite in "
                f"{_layer(layer, direction)}: that of "
                f"{_called(model.recurrent, layer, name)} at {place}"
            )
    return None


def _earliest(
    network: Recurrent,
    values: dict[tuple[int, int, str], Tensor],
    call: Call,
    rows: Tensor,
    *,
    backwards: bool = False,
) -> tuple[tuple[int, int, str], int, int] | None:
    """Find which of ``(T, B, n)`` was computed first of those that are not finite.

    Layer by layer, in each by step in the order of its direction, at a step in the
    order of the graph; all of it the other way round for errors.
    """
    steps, batch = call.output.shape[:2]
    sparse = isinstance(call.input, SparseSequences)
    lengths = call.input.lengths if sparse else call.further.get("lengths")
    lengths = torch.as_tensor([steps] * batch if lengths is None else lengths).cpu()
    layers = range(network.num_layers)
    for layer in reversed(layers) if backwards else layers:
        order = value_names(network.graphs[layer])
        found: list[tuple[int, int, int, int, str, int]] = []
        for (own, direction, name), value in values.items():
            bad = (~value.isfinite()).any(-1).cpu() & rows.cpu()
            if own != layer or not bad.any():
                continue
            step, row = bad.nonzero(as_tuple=True)
            turned = lengths[row] - 1 - step if direction != backwards else step
            place = int(turned.argmin())
            node = -order[name] if backwards else order[name]
            spot = int(step[place]), int(row[place])
            found.append((int(turned[place]), node, direction, spot[0], name, spot[1]))
        if found:
            _, _, direction, step_found, name, row_found = min(found)
            return (layer, direction, name), step_found, row_found
    return None


def _first(bad: Tensor, rows: Tensor) -> tuple[int, int] | None:
    """Find the first step and row of ``(T, B, n)`` among some rows."""
    places = (bad.any(-1) & rows.to(bad.device)).nonzero()
    return None if not len(places) else (int(places[0, 0]), int(places[0, 1]))


def _in_output(answers: Answers, rerun: Rerun, steps: int) -> str:
    """Say it of what follows the network, which ran so many steps."""
    whole = answers.losses.dim() == 1
    bad = ~answers.penalised().isfinite()
    step, row = (0, int(bad.nonzero()[0, 0])) if whole else bad.nonzero()[0].tolist()
    logits = answers.logits[row] if whole else answers.logits[step, row]
    # Of a window, the newest steps alone have losses.
    before = 0 if whole else steps - len(bad)
    place = rerun.place(row, None if whole else before + step)
    if not logits.isfinite().all():
        return f"first in the output layer, for {place}"
    largest = float(logits.detach().abs().max())
    return f"first in the loss, with outputs up to {largest:.3g}, for {place}"


def _layer(layer: int, direction: int) -> str:
    return f"layer {layer}" + (", reverse direction" if direction else "")


def _called(network: Recurrent, layer: int, name: str) -> str:
    """Give a value's name with what computes it."""
    graph = network.graphs[layer]
    operation = graph.nodes[value_names(graph)[name]].operation
    if name.startswith(operation) or operation not in FUNCTIONS:
        return name
    return f"{name} ({operation})"


def _outlier(model: Model, input: Any, step: int, row: int) -> str:
    """Say which number of the data is far out, if one is."""
    if isinstance(input, SparseSequences):
        return ""
    vector = input[step, row]
    found = vector[: model.columns.plain].abs()
    if not len(found) or not float(found.max()) >= _OUTLIER:
        return ""
    channel = int(found.argmax())
    return (
        f", where column '{model.columns.column_of(channel)}' is "
        f"{float(vector[channel]):.3g} standard deviations from its mean"
    )
