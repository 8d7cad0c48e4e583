"""`throughtime evaluate RUN [DATA]`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from throughtime.cli.options import (
    RUN,
    beside,
    machine_readable,
    note_untrained,
    show,
    use_threads,
    where,
)
from throughtime.errors import DataOfMemory, NewDataNeeded, UnusedSetting

if TYPE_CHECKING:
    from throughtime.train import Run
    from throughtime.train.measuring import Evaluation


@click.command()
@click.argument("run", type=RUN)
@click.argument("new", metavar="[DATA]", required=False)
@click.option(
    "--split",
    default="test",
    show_default=True,
    metavar="train|validation|test",
    help="Which part of the data of the training; new DATA are measured as a whole.",
)
@click.option(
    "--data", type=click.Path(), help="Where the data of the training lie now."
)
@click.option(
    "--picture",
    type=click.Path(),
    help="Where the picture goes; by default evaluation.png in the folder of the run, "
    "of new DATA nowhere.",
)
@where
@machine_readable
def evaluate(
    run: str,
    new: str | None,
    split: str,
    data: str | None,
    picture: str | None,
    backend: str,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure the model of RUN: metrics, a confidence interval, a picture.

    Without DATA on the test part of the data it was trained on, beside what trivial
    methods reach. New DATA have the truth, too: a path, or the name of a bundled data
    set.
    """
    from throughtime.train import judge, open_run
    from throughtime.train.files.folder import EVALUATION
    from throughtime.train.measuring import check_picture

    if new is not None:
        _refuse_parts(split, data)
    if picture is not None:
        check_picture(picture)
    use_threads(threads)
    opened = open_run(run, backend=backend, device=device, data=data)
    note_untrained(opened.best_epoch)
    _note_learned(new, opened.data)
    try:
        found = judge(opened, split, data=new)
    except DataOfMemory:
        raise NewDataNeeded(run=run, expected=_readable(opened)) from None
    part = split if new is None else new
    trivial = opened.baselines() if new is None and split == "test" else {}
    lines = [line for one in found for line in one.lines(part)]
    over = " over all targets" if len(found) > 1 else ""
    lines += beside(found[0].metric + over, trivial)
    default = Path(run) / EVALUATION if new is None else None
    names = _save(found, Path(picture) if picture else default)
    lines += [f"picture: {file}" for file in names]
    first = found[0].to_json()
    result = {
        "run": run,
        "data": opened.data if new is None else new,
        "split": part,
        **first,
        first["metric"]: first["metrics"].get(first["metric"]),
        "baselines": trivial,
        "pictures": names,
    }
    if len(found) > 1:
        result["targets"] = [one.to_json() for one in found]
    show(result, lines, as_json)


def _note_learned(new: str | None, learned: str) -> None:
    """Say that new data are not new."""
    if new is not None and learned in (new, str(Path(new).resolve())):
        note = (
            "DATA are those of the training, learned rows included: the test part is "
        )
        click.echo(f"{note}measured without DATA", err=True)


def _readable(run: "Run") -> str:
    """Say what file holds new data for a run."""
    if run.of_text:
        return "a text"
    schema = run.model.schema
    columns = (*schema.items, *schema.columns)
    names = [schema.sequence, schema.time, *(one.name for one in columns)]
    return f"a table with the columns {', '.join(filter(None, names))}"


def _save(found: "Sequence[Evaluation]", chosen: Path | None) -> list[str]:
    """Write the picture of each target; return the files."""
    if chosen is None:
        return []
    names: list[str] = []
    for number, one in enumerate(found):
        several = f"-{number + 1}" if len(found) > 1 else ""
        file = chosen.with_name(f"{chosen.stem}{several}{chosen.suffix}")
        one.save(file)
        names.append(str(file))
    return names


def _refuse_parts(split: str, data: str | None) -> None:
    """Refuse what only the data of the training have."""
    asked = {"split": None if split == "test" else split, "data": data}
    for argument, given in asked.items():
        if given is not None:
            reason = "new DATA, which are measured as a whole"
            raise UnusedSetting(argument=argument, given=given, reason=reason)
