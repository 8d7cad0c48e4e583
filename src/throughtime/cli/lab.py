"""`throughtime lab NAME`."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import rich_click as click
from click import get_current_context

from throughtime.cli.options import machine_readable, refuse_others, show
from throughtime.cli.tables import aligned
from throughtime.errors import UnknownExperiment
from throughtime.errors.base import did_you_mean

if TYPE_CHECKING:
    from throughtime.diagnose.lab import Experiment

SIZE = (9, 3.8)
"""Of a picture, in inches."""


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--list", "names", is_flag=True, help="Name all experiments.")
@click.option(
    "--weight",
    type=float,
    help="w of the recurrent edge (vanishing), or g where W = g·Q (bounds); without it "
    "several.",
)
@click.option(
    "--activation",
    metavar="linear|relu|tanh|sigmoid",
    help="The function of the units (vanishing, bounds); without it all of them.",
)
@click.option(
    "--forget",
    type=float,
    help="The forget gate, from 0 to 1 (carousel); without it several.",
)
@click.option("--steps", type=int, help="T, over how many steps; each has its own.")
@click.option(
    "--picture", type=click.Path(), help="Where a picture goes, a file ending in .png."
)
@machine_readable
def lab(
    name: str | None,
    names: bool,
    picture: str | None,
    as_json: bool,
    **varied: Any,
) -> None:
    """Run an exact toy experiment: what a gradient does over time, and why.

    What has a closed form is computed by itself and measured by the engine that trains,
    in float64. --json prints every number.
    """
    from throughtime.diagnose.lab import EXPERIMENTS

    if names:
        refuse_others("--list, which names all experiments", {"names", "as_json"})
        said = {one: _first_line(run) for one, run in EXPERIMENTS.items()}
        width = max(map(len, said))
        lines = [f"{one:<{width}}  {words}" for one, words in said.items()]
        show({"experiments": said}, lines, as_json)
        return
    if name is None:
        argument = get_current_context().command.params[0]
        raise click.MissingParameter(param=argument)
    if name not in EXPERIMENTS:
        known, hint = ", ".join(EXPERIMENTS), did_you_mean(name, EXPERIMENTS)
        raise UnknownExperiment(given=name, hint=hint, known=known)
    run = EXPERIMENTS[name]
    known = set(inspect.signature(run).parameters)
    refuse_others(f"the experiment {name}", known | {"name", "picture", "as_json"})
    chosen = {one: given for one, given in varied.items() if given is not None}
    _tell(name, run, chosen, picture, as_json)


def _first_line(run: Callable[..., "Experiment"]) -> str:
    return (inspect.getdoc(run) or "").partition("\n")[0]


def _tell(
    name: str,
    run: Callable[..., "Experiment"],
    varied: Mapping[str, Any],
    picture: str | None,
    as_json: bool,
) -> None:
    from throughtime.train.files.folder import write
    from throughtime.train.measuring import check_picture

    path = None if picture is None else check_picture(picture)
    found = run(**varied)
    lines = [found.title, "", *aligned(*found.table()), "", found.sentence]
    if path is not None:
        write(path, _drawn(found))
        lines.append(f"picture: {path}")
    result = {
        "experiment": name,
        **found.to_json(),
        "picture": None if path is None else str(path),
    }
    show(result, lines, as_json)


def _drawn(found: "Experiment") -> bytes:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from throughtime.train.showing.look import STYLE, png

    with rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        found.draw(figure)
        return png(figure)
