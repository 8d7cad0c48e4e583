"""`python -m benchmarks.word_events TEXTS OUT.parquet`: words of plays as events.

A row per word of a passage of 50, `passage, step, word, play, part`: five words are one
step, and the question is which play a passage is from. Of the stretches that are held
out one half is for validation, the other for the test.

TEXTS is what `python scripts/make_shakespeare.py --all TEXTS` writes.
"""

from pathlib import Path

import click
import numpy as np
import polars as pl

from benchmarks.passages import Passages

WORDS_OF_A_STEP = 5
PARTS = np.array(["train", "validation", "test"])


def to_table(passages: Passages) -> pl.DataFrame:
    """Write passages below each other."""
    count, words = passages.words.shape
    number = np.arange(count)
    held_out = passages.held_out.numpy().astype(int)
    stretch = np.cumsum(np.diff(held_out, prepend=0) == 1)
    part = held_out * (1 + stretch % 2)
    columns = {
        "passage": np.repeat(number, words),
        "step": np.tile(np.arange(words) // WORDS_OF_A_STEP, count),
        "word": np.array(passages.vocabulary)[passages.words.numpy().ravel()],
        "play": np.repeat(np.array(passages.titles)[passages.plays.numpy()], words),
        "part": np.repeat(PARTS[part], words),
    }
    return pl.DataFrame(columns)


@click.command(help=__doc__)
@click.argument("texts", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def main(texts: Path, out: Path) -> None:
    """Write the table."""
    table = to_table(Passages.of(texts.read_text("utf-8")))
    table.write_parquet(out)
    counts = table.group_by("part", maintain_order=True).agg(
        pl.col("passage").n_unique()
    )
    click.echo(f"{out}: {table.height:,} words; passages {dict(counts.iter_rows())}")


if __name__ == "__main__":
    main()
