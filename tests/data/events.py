"""Event tables: rows that name items, several of them at a time."""

import numpy as np
import polars as pl

from throughtime.data.items import Items


def events(
    sequences: int = 40, seed: int = 0, values: bool = True, items: int = 50
) -> pl.DataFrame:
    """Rows `who, when, what, how, label`: what happens tells the label."""
    generator = np.random.default_rng(seed)
    rows: list[tuple[str, int, str, float, str]] = []
    for number in range(sequences):
        label = number % 2
        for step in range(int(generator.integers(1, 6))):
            for _ in range(int(generator.integers(1, 4))):
                item = int(generator.integers(items)) + label * items // 2
                value = float(np.round(generator.normal(), 3)) if values else 1.0
                rows.append(
                    (f"s{number}", step, f"i{item}", value, "no yes".split()[label])
                )
    return pl.DataFrame(
        rows, schema=["who", "when", "what", "how", "label"], orient="row"
    )


def mixed(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows in another order."""
    return frame.sample(fraction=1, shuffle=True, seed=1)


def dense(
    frame: pl.DataFrame, key: str, categories: tuple[str, ...], values: bool = True
) -> np.ndarray:
    """One sequence as a matrix `(T, d)`, made row by row."""
    own = frame.filter(pl.col("who") == key)
    times = sorted(own["when"].unique().to_list())
    matrix = np.zeros((len(times), len(categories)))
    for row in own.iter_rows(named=True):
        if row["what"] in categories:
            place = times.index(row["when"]), categories.index(row["what"])
            matrix[place] += row["how"] if values else 1.0
    return matrix


def matrix(items: Items, sequence: int, start: int, stop: int) -> np.ndarray:
    """What was read of some steps of a sequence, `(T, d)`."""
    piece = np.array([[sequence, start, stop, start]])
    return items.side_by_side(piece).to_dense()[:, 0].numpy()
