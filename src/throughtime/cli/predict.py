"""`throughtime predict RUN DATA --out FILE`."""

import rich_click as click

from throughtime.cli.options import (
    RUN,
    machine_readable,
    note_untrained,
    show,
    use_threads,
    where,
)


@click.command()
@click.argument("run", type=RUN)
@click.argument("data")
@click.option(
    "--out",
    type=click.Path(),
    required=True,
    help="Where to write: .csv, .parquet or .jsonl.",
)
@where
@machine_readable
def predict(
    run: str,
    data: str,
    out: str,
    backend: str,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write what the model of RUN says to DATA, in the order of its rows.

    DATA, a path or the name of a bundled data set, has the columns that the model
    learned from; targets are not needed.
    """
    from throughtime.train import open_run
    from throughtime.train import predict as write

    use_threads(threads)
    opened = open_run(run, backend=backend, device=device)
    note_untrained(opened.best_epoch)
    rows = write(opened, data, out)
    result = {"run": run, "data": data, "out": out, "rows": rows}
    show(result, [f"{rows:,} rows: {out}"], as_json)
