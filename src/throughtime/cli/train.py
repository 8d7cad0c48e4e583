"""`throughtime train DATA`."""

import shlex
from typing import Any

import rich_click as click

from throughtime.cli.options import beside, machine_readable, show, where

_BY_DATA = "By default what suits the data."


@click.command()
@click.argument("data")
@click.option(
    "--cell",
    default="lstm",
    show_default=True,
    metavar="NAME",
    help="elman, lstm, peephole-lstm, gru, gru-reset-before, feedforward, or "
    "FILE.py:Class for your own.",
)
@click.option("--hidden-size", type=int, help=f"Units of a layer. {_BY_DATA}")
@click.option("--layers", type=int, default=1, show_default=True, help="Layers.")
@click.option("--bidirectional", is_flag=True, help="Read in both directions.")
@click.option(
    "--optimizer",
    default="adam",
    show_default=True,
    metavar="adam|sgd",
    help="What uses the gradient.",
)
@click.option("--epochs", type=int, help=f"Passes over the data at most. {_BY_DATA}")
@click.option(
    "--patience",
    type=int,
    help=f"Epochs without a better validation loss before it stops. {_BY_DATA}",
)
@click.option(
    "--batch-size",
    type=int,
    help=f"Sequences, or streams of a text, per update. {_BY_DATA}",
)
@click.option(
    "--steps",
    type=int,
    help="Steps of a text between two updates, by default 32; sequences have none.",
)
@click.option("--learning-rate", type=float, help=f"First step width. {_BY_DATA}")
@click.option(
    "--schedule",
    default="cosine",
    show_default=True,
    metavar="cosine|constant",
    help="cosine: the step width falls to 0 over the epochs.",
)
@click.option(
    "--clip",
    type=float,
    default=1.0,
    show_default=True,
    help="Norm of the gradient at most; 0 for no limit.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all chance.")
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    metavar="float32|float64",
    help="Of all numbers.",
)
@where
@click.option(
    "--out", type=click.Path(), help="Folder of the run; by default a new one in runs/."
)
@machine_readable
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.pass_obj
def train(words: tuple[str, ...], data: str, **options: Any) -> None:
    """Learn DATA and write a run folder.

    DATA is the name of a bundled data set (spoken-digits, shakespeare, chorales, co2)
    or the path of a text file. Ctrl-C stops early and keeps the best weights so far.
    """
    from throughtime.cli.cell_names import blaming, find_cell
    from throughtime.train import fit
    from throughtime.train.interruption import interruptible

    as_json, quiet = options.pop("as_json"), options.pop("quiet")
    named = options.pop("cell")
    cell = find_cell(named)
    # A user's equations are run when the network is built.
    with blaming(named):
        run = fit(
            cell,
            data,
            num_layers=options.pop("layers"),
            quiet=quiet,
            command=shlex.join(["throughtime", *words]),
            **options,
        )
    # From here on a Ctrl-C could only lose the summary of a finished run.
    with interruptible():
        result = summary(run)
    metric, value = run.metric, result["test"][run.metric]
    lines = [
        f"test {metric.replace('_', ' ')} {value:.4f}, weights of epoch "
        f"{run.best_epoch} of {len(run.metrics)}"
        + (" (interrupted)" if run.stopped == "interrupted" else ""),
        *beside(metric, result["baselines"]),
        f"run: {run.path}",
    ]
    show(result, lines, as_json, quiet)


def summary(run: Any) -> dict[str, Any]:
    """Say of a run what a machine may want to know."""
    return {
        "run": str(run.path),
        "data": run.data,
        "cell": run.cell,
        "task": run.task,
        "metric": run.metric,
        "test": run.evaluate("test"),
        "baselines": run.baselines(),
        "parameters": sum(weight.numel() for weight in run.model.parameters()),
        "epochs": len(run.metrics),
        "best_epoch": run.best_epoch,
        "stopped": run.stopped,
        "seconds": sum(row["seconds"] for row in run.metrics),
    }
