"""`throughtime evaluate RUN`."""

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


@click.command()
@click.argument("run", type=RUN)
@click.option(
    "--split",
    default="test",
    show_default=True,
    metavar="train|validation|test",
    help="Which part of the data.",
)
@click.option(
    "--data", type=click.Path(), help="Where the data of the training lie now."
)
@where
@machine_readable
def evaluate(
    run: str,
    split: str,
    data: str | None,
    backend: str,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure the model of RUN, beside what trivial methods reach."""
    from throughtime.train import open_run

    use_threads(threads)
    opened = open_run(run, backend=backend, device=device, data=data)
    note_untrained(opened.best_epoch)
    measured = opened.evaluate(split)
    metric, baselines = opened.metric, opened.baselines()
    result = {
        "run": run,
        "data": opened.data,
        "split": split,
        "metric": metric,
        **measured,
        "baselines": baselines,
    }
    lines = [
        f"{split} {metric.replace('_', ' ')} {measured[metric]:.4f}",
        *(beside(metric, baselines) if split == "test" else []),
    ]
    show(result, lines, as_json)
