"""What the command line gives, read."""

import click

from benchmarks.contestants import SOURCES
from benchmarks.shapes import PRODUCTS, SHAPES, WORKS, Shape, Work


def read_names(given: str, known: list[str]) -> list[str]:
    """Read names with commas between, each of them known."""
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name not in known:
            raise click.BadParameter(
                f"{name!r} is not measured; choose from {', '.join(known)}."
            )
    return names


def read_cells(_: click.Context, __: click.Parameter, given: str) -> list[str]:
    """Read names of cells, however they are written."""
    known = {name.lower(): name for name in PRODUCTS}
    names = ",".join(known.get(n.strip().lower(), n) for n in given.split(","))
    return read_names(names, list(PRODUCTS))


def read_works(_: click.Context, __: click.Parameter, given: str) -> list[Work]:
    """Read kinds of work, in the order of the tables; a keyboard's dx is ∂x."""
    names = read_names(given.replace("dx", "∂x"), list(WORKS))
    return [work for work in WORKS if work in names]


def read_peers(
    _: click.Context, __: click.Parameter, given: str | None
) -> list[str] | None:
    """Read names of peers, or `all`, or `none`; None: the usual ones."""
    if given is None:
        return None
    if given == "none":
        return []
    return list(SOURCES) if given == "all" else read_names(given, list(SOURCES))


def read_shapes(
    _: click.Context, __: click.Parameter, given: str | None
) -> list[Shape]:
    """Read shapes, each four numbers with commas, with spaces between the shapes."""
    if given is None:
        return list(SHAPES)
    shapes = []
    for text in given.split():
        try:
            shape = Shape(*map(int, text.split(",")))
        except (TypeError, ValueError):
            shape = Shape(0, 0, 0, 0)
        if min(shape) < 1:
            raise click.BadParameter(
                f"{text!r} is no shape; give T,B,I,H as four positive numbers, such as "
                "'100,32,64,128', and a space between two shapes."
            )
        shapes.append(shape)
    if not shapes:
        raise click.BadParameter("no shape is given; leave the option out for all six.")
    return shapes
