"""`throughtime evaluate RUN`."""

import rich_click as click

from throughtime.cli.options import (
    RUN,
    beside,
    machine_readable,
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
    help="Which part of the data: train, validation or test.",
)
@where
@machine_readable
def evaluate(
    run: str,
    split: str,
    backend: str,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure the model of RUN, beside what trivial methods reach."""
    from throughtime.train import open_run

    use_threads(threads)
    opened = open_run(run, backend=backend, device=device)
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
