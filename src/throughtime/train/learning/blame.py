"""WHERE a number that is not finite first appeared.

The batch is run once more with the same weights and masks, and looked at inside: its
values in the order in which they are computed, or the error that flows back through
them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from throughtime.graph.names import FUNCTIONS, value_names
from throughtime.nn import Recurrent
from throughtime.nn.node_deltas import node_deltas
from throughtime.nn.sequences import state_values
from throughtime.train.model import Model
from throughtime.train.settings import Settings
from throughtime.train.tasks import Answers, Rerun

# So many standard deviations from the mean, a number of the data is worth a word.
_OUTLIER = 10


class Call(NamedTuple):
    """What a network was given, and gave."""

    random: Tensor
    input: Tensor
    state: Any
    further: dict[str, Any]
    output: Tensor


def blame_values(model: Model, answers: Answers) -> str:
    """Say where the values of a batch first were not finite.

    Parameters
    ----------
    model
        With the weights that answered.
    answers
        Those whose loss is not finite.
    """
    weight = not_finite_weight(model)
    if weight is not None:
        return f"the last update has made the weight {weight} not finite"
    if answers.rerun is None:
        return "nothing is known of its batch"
    calls, again = _again(model, answers.rerun)
    bad = ~again.losses.isfinite()
    # Of a row whose loss is finite an infinite value has done no harm.
    rows = bad.any(0) if bad.dim() > 1 else bad
    if again.loss().isfinite():
        return "not when the batch was run again"
    if not rows.any():
        return "every answer has a finite loss, but not all of them together"
    for call in calls:
        found = _first_value(model, call, rows, answers.rerun)
        if found is not None:
            return found
    return _in_output(again, rows, answers.rerun)


def blame_gradient(model: Model, answers: Answers) -> str:
    """Say where the error that flows back first was not finite.

    Parameters
    ----------
    model
        With the weights that answered, and their gradients.
    answers
        Those whose gradient is not finite.
    """
    slopes = {
        name: weight.grad
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }
    bad = [name for name, slope in slopes.items() if not slope.isfinite().all()]
    if not bad:
        name = max(slopes, key=lambda one: float(slopes[one].abs().max()))
        largest = float(slopes[name].abs().max())
        return f"that of {name} is as large as {largest:.3g}, its square too large"
    where = None if answers.rerun is None else _first_error(model, answers.rerun)
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
        further = {name: value for name, value in named.items() if name != "state"}
        calls.append(Call(before[-1], given[0], state, further, result[0]))

    network = model.network
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
    """Draw the same again; the generator is then as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(random)
        yield


def _first_value(model: Model, call: Call, rows: Tensor, rerun: Rerun) -> str | None:
    network = model.network
    spot = _first(~call.input.isfinite(), rows)
    if spot is not None:
        return f"first in what the network reads at {rerun.place(spot[1], spot[0])}"
    if call.state is not None:
        states = state_values(network, "state", call.state)
        for name, value in zip(network.state_names, states, strict=True):
            if not value[:, rows.to(value.device)].isfinite().all():
                return f"the state {name} that it goes on from is not finite"
    with _drawing(call.random), torch.no_grad():
        *_, values = network(call.input, call.state, return_all=True, **call.further)
    found = _earliest(network, values, call, rows)
    if found is None:
        return None
    (layer, direction, name), step, row = found
    value = values[layer, direction, name][step, row]
    first = value[~value.isfinite()][0].item()
    outlier = "" if layer else _outlier(model, call.input[step, row])
    return (
        f"first in {_layer(layer, direction)}: {_called(network, layer, name)} is "
        f"{first:g} at {rerun.place(row, step)}{outlier}"
    )


def _first_error(model: Model, rerun: Rerun) -> str | None:
    calls, answers = _again(model, rerun)
    outputs = [call.output for call in calls]
    errors = torch.autograd.grad(answers.loss(), outputs, allow_unused=True)
    for call, error in reversed(list(zip(calls, errors, strict=True))):
        if error is None:
            continue
        every = torch.ones(error.shape[1], dtype=torch.bool)
        spot = _first(~error.isfinite().flip(0), every)
        if spot is not None:
            place = rerun.place(spot[1], len(error) - 1 - spot[0])
            return f"first in the output layer at {place}"
        with _drawing(call.random):
            found = node_deltas(
                model.network, call.input, error, call.state, **call.further
            )
        worst = _earliest(model.network, found, call, every, backwards=True)
        if worst is not None:
            (layer, direction, name), step, row = worst
            return (
                f"the error that flows back is first not finite in "
                f"{_layer(layer, direction)}: that of "
                f"{_called(model.network, layer, name)} at {rerun.place(row, step)}"
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
    steps, batch = call.input.shape[:2]
    lengths = torch.as_tensor(call.further.get("lengths", [steps] * batch)).cpu()
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


def _in_output(answers: Answers, rows: Tensor, rerun: Rerun) -> str:
    """Say it of what follows the network."""
    whole = answers.losses.dim() == 1
    bad = ~answers.losses.isfinite()
    step, row = (0, int(bad.nonzero()[0, 0])) if whole else bad.nonzero()[0].tolist()
    logits = answers.logits[row] if whole else answers.logits[step, row]
    place = rerun.place(row, step)
    if whole:
        place = place.split(" of ", 1)[1]
    if not logits.isfinite().all():
        return f"first in the output layer, for {place}"
    largest = float(logits.abs().max())
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


def _outlier(model: Model, vector: Tensor) -> str:
    """Say which number of the data is far out, if one is."""
    numbers = vector[: model.reader.numbers].abs()
    if not len(numbers) or not float(numbers.max()) >= _OUTLIER:
        return ""
    channel = int(numbers.argmax())
    return (
        f", where column '{model.reader.column_of(channel)}' is "
        f"{float(vector[channel]):.3g} standard deviations from its mean"
    )
