"""`throughtime report RUN…`."""

import rich_click as click

from throughtime.cli.options import RUN


@click.command()
@click.argument("runs", type=RUN, nargs=-1, required=True, metavar="RUN…")
@click.option(
    "--output",
    type=click.Path(),
    metavar="FILE.html",
    help="Where the page is written; by default report.html in the folder of the run, "
    "of several runs in this one.",
)
def report(runs: tuple[str, ...], output: str | None) -> None:
    """Write one HTML page about runs: did it learn, its memory, what to change.

    RUN is the folder of a run, finished or not; several are set side by side. The page
    holds all that it shows and needs no network. Much of it comes from `throughtime
    diagnose RUN`; what is missing is said there, with the command that makes it.
    """
    from throughtime.report import write_report

    click.echo(f"report: {write_report(*runs, output=output)}")
