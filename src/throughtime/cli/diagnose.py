"""`throughtime diagnose RUN [DATA]`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from throughtime.diagnose.diagnosis import Diagnosis, Memory

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
        mark = {"alarm": "ALARM", "note": "note", "good": "good"}[one.severity]
        yield f"{mark}: {one.sentence}"
        if one.remedy is not None:
            yield f"  try: {one.remedy}"
    data = found.data
    yield ""
    yield (
        f"{data['sequences']} sequences of up to {data['steps']} steps of "
        f"{data['part']}, an answer per {data['per']}"
    )
    yield from _flow(found)
    yield from _lags(found)
    if found.memory is not None:
        yield from _memory(found.memory)
    for name, part in (("saturated", found.saturation), ("dead", found.dead)):
        if part:
            yield f"{name} units"
    yield from _seconds(found.seconds)
    return


def _flow(found: "Diagnosis") -> Iterator[str]:
    if found.flow is None:
        yield "no gradient flow: the cell has no state"
        return
    steps = found.flow.steps
    chosen = sorted({0, len(steps) // 4, len(steps) // 2, 3 * len(steps) // 4, len(steps) - 1})
    yield ""
    yield _row("‖∂L/∂s‖ at step", [str(steps[k]) for k in chosen])
    for one in found.flow.layers:
        numbers = [_number(one.median[k]) for k in chosen]
        yield _row(_name(one.layer, one.direction, one.state), numbers)
