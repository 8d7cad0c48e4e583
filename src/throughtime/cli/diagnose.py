"""`throughtime diagnose RUN [DATA]`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from throughtime.cli.options import (
    RUN,
    machine_readable,
    note_untrained,
    show,
    use_threads,
    where,
)
from throughtime.errors import DataOfMemory, NewDataNeeded

if TYPE_CHECKING:
    from throughtime.diagnose.diagnosis import Diagnosis, Flow, Lags, Memory

_SHOWN_LAGS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@click.command()
@click.argument("run", type=RUN)
@click.argument("new", metavar="[DATA]", required=False)
@click.option(
    "--surface",
    is_flag=True,
    help="Look at the loss around the weights, too: slower than all else.",
)
@click.option(
    "--lags",
    type=int,
    metavar="LAG",
    help="The largest lag of gradients by lag; by default all there are.",
)
@click.option(
    "--sequences",
    type=int,
    default=64,
    show_default=True,
    help="How many sequences, or stretches of a text, to look at: less of long ones.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Draws the sequences."
)
@click.option(
    "--data", type=click.Path(), help="Where the data of the training lie now."
)
@click.option(
    "--picture",
    type=click.Path(),
    help="Where the picture goes; by default diagnosis.png in the folder of the run.",
)
@where
@machine_readable
def diagnose(
    run: str,
    new: str | None,
    surface: bool,
    lags: int | None,
    sequences: int,
    seed: int,
    data: str | None,
    picture: str | None,
    backend: str,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Say why the model of RUN does, or does not, learn.

    On the validation part of the data it was trained on, or on new DATA: how much error
    flows back to each step and by lag, what is saturated or dead, how far back answers
    look; then what it means, and what to change. Writes diagnosis.json into RUN.
    """
    from throughtime.train import open_run
    from throughtime.train.diagnosing.picture import draw
    from throughtime.train.files.folder import DIAGNOSIS, DIAGNOSIS_PICTURE, write
    from throughtime.train.measuring import check_picture

    if picture is not None:
        check_picture(picture)
    use_threads(threads)
    opened = open_run(run, backend=backend, device=device, data=data)
    note_untrained(opened.best_epoch)
    try:
        found = opened.diagnose(
            new, surface=surface, lags=lags, sequences=sequences, seed=seed
        )
    except DataOfMemory:
        raise NewDataNeeded(run=run, expected="a table like the training's") from None
    folder = Path(run)
    file = folder / DIAGNOSIS_PICTURE if picture is None else Path(picture)
    write(file, draw(found, f"{opened.cell} on {Path(opened.data).name}"))
    lines = [*_said(found), f"diagnosis: {folder / DIAGNOSIS}", f"picture: {file}"]
    result = {"run": run, "picture": str(file), **found.to_json()}
    show(result, lines, as_json)


def _said(found: "Diagnosis") -> Iterator[str]:
    """Say the verdict, then what was measured."""
    for one in found.findings:
        yield f"{_MARKS[one.severity]}: {one.sentence}"
        if one.remedy is not None:
            yield f"  try {one.remedy}"
    data = found.data
    yield ""
    yield (
        f"{data['sequences']} sequences of up to {data['steps']} steps of "
        f"{data['part']}, an answer per {data['per']}"
    )
    if found.flow is None:
        yield "the cell has no state: no error flows through time"
    else:
        yield from _flow(found.flow)
    if found.lags is not None:
        yield from _by_lag(found.lags)
    if found.memory is not None:
        yield from _memory(found.memory)
    yield from _units(found)
    yield from _dynamics(found)
    yield ""
    seconds = [f"{name} {value:.2f} s" for name, value in found.seconds.items()]
    yield f"cost: {', '.join(seconds)}"


_MARKS = {"alarm": "ALARM", "note": "note", "good": "good"}


def _flow(flow: "Flow") -> Iterator[str]:
    last = len(flow.steps) - 1
    chosen = sorted({0, last // 4, last // 2, 3 * last // 4, last})
    yield ""
    yield _row("|dL/ds|, median, at step", [str(flow.steps[k]) for k in chosen])
    for one in flow.layers:
        name = _name(one.layer, one.direction, one.state)
        yield _row(name, [_number(one.median[k]) for k in chosen])


def _by_lag(lags: "Lags") -> Iterator[str]:
    places = [k for k, lag in enumerate(lags.lags) if lag in _SHOWN_LAGS]
    if places[-1] != len(lags.lags) - 1:
        places.append(len(lags.lags) - 1)
    yield ""
    yield _row("|dL/ds| at lag", [str(lags.lags[k]) for k in places])
    for one in lags.layers:
        name = _name(one.layer, one.direction, one.state)
        yield _row(name, [_number(one.norms[k]) for k in places])


def _memory(memory: "Memory") -> Iterator[str]:
    yield ""
    for one in memory.layers:
        name = _name(one.layer, one.direction, one.state)
        left = f"{one.threshold:.0%} of the error is left"
        if one.horizon is None:
            yield f"{name}: more than {left} all the way"
        else:
            yield f"{name}: {left} after {one.horizon:.0f} steps"
    if memory.reason is not None:
        yield f"how far back answers look was not measured: {memory.reason}"
    elif memory.needed is None:
        yield "answers look back further than was tried"
    else:
        yield f"answers look back {memory.needed} steps: history cut shorter costs loss"
    if memory.window is not None:
        yield f"error flows back over {memory.window} steps: {memory.verdict}"


def _units(found: "Diagnosis") -> Iterator[str]:
    if found.saturation:
        yield ""
        each = [
            f"{_name(one.layer, one.direction, one.node)} {one.share:.0%}"
            for one in found.saturation
        ]
        yield f"saturated: {', '.join(each)}"
    if found.dead:
        each = [
            f"{_name(one.layer, one.direction, one.node)} {one.dead} of {one.units}"
            for one in found.dead
        ]
        yield f"dead: {', '.join(each)}"


def _dynamics(found: "Diagnosis") -> Iterator[str]:
    if found.spectrum or found.fixed_points or found.surface:
        yield ""
    for one in found.spectrum or []:
        name = _name(one["layer"], one["direction"], "").strip()
        largest = one["exponents"][0]
        yield f"{name}: largest Lyapunov exponent {largest:.3g} per step"
    if found.fixed_points:
        stable = sum(one["unstable"] == 0 for one in found.fixed_points)
        count = len(found.fixed_points)
        points = "fixed or slow point" if count == 1 else "fixed or slow points"
        yield f"{count} {points} under mean input, {stable} of them stable"
    if found.surface is not None:
        low, high = found.surface["smallest"], found.surface["largest"]
        verdict = found.surface["verdict"]
        yield f"loss surface: {verdict}, curvatures from {low:.3g} to {high:.3g}"


def _row(name: str, cells: list[str]) -> str:
    return f"{name:<26}" + "".join(f"{cell:>10}" for cell in cells)


def _name(layer: int, direction: int, name: str) -> str:
    return f"layer {layer}{' reverse' if direction else ''} {name}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2g}"
