"""`throughtime compare DATA`."""

import os
from typing import Any

import rich_click as click

from throughtime.cli.option_types import Names
from throughtime.cli.options import machine_readable, show, where
from throughtime.cli.tables import aligned
from throughtime.cli.training import reading


@click.command()
@click.argument("data")
@click.option(
    "--models",
    type=Names(),
    metavar="NAME,…",
    help="The models to compare; by default all that can answer the question.",
)
@click.option(
    "--budget",
    default="1m",
    show_default=True,
    metavar="30s|10m|1h",
    help="The time that each model has to learn and choose.",
)
@reading
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of first weights, order, resamples and flips.",
)
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    metavar="float32|float64",
    help="Of the numbers of networks.",
)
@where
@click.option(
    "--out",
    type=click.Path(),
    help="A new folder for comparison.json, comparison.png and the runs of networks.",
)
@click.option("--picture", type=click.Path(), help="Where the picture goes, a PNG.")
@machine_readable
@click.option("--quiet", is_flag=True, help="Show no progress.")
def compare(
    data: str, picture: str | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Say whether DATA need a recurrent network: baselines beside it, a verdict.

    Every model has the same time, data, split and metric; DATA are what `throughtime
    train` takes. The verdict is about the recurrent network and the baseline that are
    best on validation data (*), by a paired test on the test part. Ctrl-C keeps what is
    measured.
    """
    from throughtime.bench import compare as run
    from throughtime.errors import NoFolderForPicture
    from throughtime.train.measuring import check_picture

    path = None if picture is None else check_picture(picture)
    if path is not None and not os.access(path.parent, os.W_OK):
        raise NoFolderForPicture(path=path, folder=path.parent)
    found = run(data, say=None if quiet else _say, **options)
    headers, rows = found.table()
    title = f"{found.data}: {found.question}, {found.answers:,} test answers"
    lines = [title, "", *aligned(headers, rows), "", *found.past(), "", found.verdict]
    lines += [f"folder: {options['out']}"] if options["out"] else []
    # What was found is told first: a full disk would take it away.
    show({**found.to_json(), "picture": path and str(path)}, lines, as_json)
    if path is not None:
        found.save(path)
        if not as_json:
            click.echo(f"picture: {path}")


def _say(line: str) -> None:
    click.echo(line, err=True)
