"""From run folders to one HTML page."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from throughtime.errors import CannotWrite
from throughtime.report.extra import check_extra, library
from throughtime.report.reading import RunFolder, read_run

if TYPE_CHECKING:
    import jinja2


_NAME: Final = "report.html"


def write_report(
    *runs: str | os.PathLike[str], output: str | os.PathLike[str] | None = None
) -> Path:
    """Write one HTML file about one run or several, which needs no network.

    Parameters
    ----------
    *runs
        Folders that `fit` or `throughtime train` wrote, finished or not.
    output
        The file. None: `report.html` in the folder of the run; of several runs in the
        working directory.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ReportExtraMissing
        The packages of ``throughtime[report]`` are not installed.
    NotARun, DamagedModel, DamagedRunFile
        A run is not there, or damaged.
    CannotWrite
        The system does not let us.
    """
    check_extra("A report")
    read = [read_run(run) for run in runs]
    path = Path(output) if output is not None else _default(read)
    try:
        path.write_text(page(read), encoding="utf-8")
    except OSError as error:
        raise CannotWrite(path=path, reason=error.strerror or error) from None
    return path


def _default(runs: Sequence[RunFolder]) -> Path:
    return runs[0].path / _NAME if len(runs) == 1 else Path(_NAME)


def page(runs: Sequence[RunFolder], *, live: bool = False) -> str:
    """The whole page; a live one asks its server for news.

    Parameters
    ----------
    runs
        What is shown, side by side where there are several.
    live
        Whether a training is going on, and `/state` and `/main` say how.
    """
    return _template("page.html").render(
        title=" · ".join(names(runs)), live=live, library=library(), **_content(runs)
    )


def main_part(runs: Sequence[RunFolder]) -> str:
    """What of the page changes while a training goes on."""
    return _template("main.html").render(**_content(runs))


def names(runs: Sequence[RunFolder]) -> list[str]:
    """Names that tell runs apart: folders, or paths where these are not enough."""
    own = [run.name for run in runs]
    if len(set(own)) == len(own):
        return own
    paths = [str(run.path) for run in runs]
    if len(set(paths)) == len(paths):
        return paths
    return [f"{number}: {path}" for number, path in enumerate(paths, 1)]


def _content(runs: Sequence[RunFolder]) -> dict[str, Any]:
    from throughtime.report import comparing, describing

    told = names(runs)
    several = len(runs) > 1
    return {
        "shown": [
            describing.describe(run, name, f"run-{number}")
            for number, (run, name) in enumerate(zip(runs, told, strict=True))
        ],
        "compared": comparing.table(runs, told) if several else None,
        "shared": tuple(comparing.figures(runs, told)) if several else (),
    }


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("throughtime.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str) -> "jinja2.Template":
    return _environment().get_template(name)
