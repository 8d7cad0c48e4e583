"""`throughtime train DATA`."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rich_click as click

from throughtime.cli.configuration import configurable
from throughtime.cli.option_types import Names
from throughtime.cli.options import beside, machine_readable, show, watched, where
from throughtime.cli.processes import Processes, one_of_several, several, start
from throughtime.cli.training import training


@click.command()
@configurable
@click.argument("data")
@training
@where
@several
@click.option(
    "--out", type=click.Path(), help="Folder of the run; by default a new one in runs/."
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the training in --out, to the same bits as in one go.",
)
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Write the course of the training for TensorBoard, too.",
)
@click.option(
    "--watch",
    type=Names(),
    default=(),
    metavar="gradients,live",
    help="gradients: write down how long error is at each step as it flows back, what "
    "is saturated and how much weights change. live: serve the page of `throughtime "
    "report` on this machine, renewed after every epoch. Both with a comma between.",
)
@machine_readable
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.pass_obj
def train(words: tuple[str, ...], data: str, **options: Any) -> None:
    """Learn DATA and write a run folder.

    DATA is the name of a bundled data set (spoken-digits, shakespeare, chorales, co2),
    the path of a table (CSV, Parquet, Arrow, JSON Lines, .npz, .ts, svmlight), of a
    folder or pattern of tables, or of a text. Ctrl-C stops early and keeps the best
    weights so far.
    """
    processes = Processes.pop(options)
    if processes.world > 1:
        start(words, processes)
        return
    with one_of_several() as speaks:
        _train(words, data, speaks, options)


def _train(
    words: tuple[str, ...], data: str, speaks: bool, options: dict[str, Any]
) -> None:
    from throughtime.cli.cell_names import blaming, find_cell
    from throughtime.train import fit
    from throughtime.train.interruption import interruptible
    from throughtime.train.restarting.outcomes import spread_in_words

    as_json, quiet = options.pop("as_json"), options.pop("quiet")
    kinds = watched(options.pop("watch"))
    named = options.pop("cell")
    cell = find_cell(named)
    # A user's equations are run when the network is built.
    with blaming(named), live_page("live" in kinds) as reporter:
        run = fit(
            cell,
            data,
            reporter=reporter,
            watch="gradients" if "gradients" in kinds else None,
            quiet=quiet,
            command=shlex.join(["throughtime", *words]),
            named=named,
            **options,
        )
    if not speaks:
        return
    # From here on a Ctrl-C could only lose the summary of a finished run.
    with interruptible():
        result = summary(run)
    value, each = result["test"][run.metric], result.get("accuracies", {})
    metric = run.metric + (" over all targets" if each else "")
    lines = [
        f"test {metric.replace('_', ' ')} {value:.4f}, weights of epoch "
        f"{run.best_epoch} of {len(run.metrics)}" + _ENDS.get(run.stopped or "", ""),
        *(f"  of {target}: {share:.4f} accuracy" for target, share in each.items()),
        *beside(metric, result["baselines"]),
        # Of a training that was shown, it was said already.
        *([spread_in_words(run)] if quiet and run.restarts else []),
        f"run: {run.path}",
    ]
    show(result, lines, as_json, quiet)


@contextmanager
def live_page(wanted: bool) -> Iterator[Any]:
    """Give what `fit` takes as `reporter` where the training is to be watched."""
    if not wanted:
        yield None
        return
    from throughtime.report.live import LivePage

    with LivePage() as page:
        yield page.beside


_ENDS = {"interrupted": " (interrupted)", "time": " (its time was up)"}


def summary(run: Any) -> dict[str, Any]:
    """Say of a run what a machine may want to know."""
    each = run.accuracies("test")
    return {
        "run": str(run.path),
        "data": run.data,
        "cell": run.cell,
        "task": run.task,
        "metric": run.metric,
        "test": run.evaluate("test"),
        **({"accuracies": each} if each else {}),
        "baselines": run.baselines(),
        **({"restarts": run.restarts} if run.restarts else {}),
        "parameters": sum(weight.numel() for weight in run.model.parameters()),
        "epochs": len(run.metrics),
        "best_epoch": run.best_epoch,
        "stopped": run.stopped,
        "seconds": run.seconds,
    }
