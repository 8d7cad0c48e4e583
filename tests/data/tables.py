"""Tables to read, and what to compare."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from throughtime.data import Reading, SequenceDataset, read

WRITERS = {
    "csv": pl.DataFrame.write_csv,
    "tsv": lambda frame, file: frame.write_csv(file, separator="\t"),
    "parquet": lambda frame, file: frame.write_parquet(file, row_group_size=7),
    "arrow": pl.DataFrame.write_ipc,
    "arrows": pl.DataFrame.write_ipc_stream,
    "jsonl": pl.DataFrame.write_ndjson,
}


def write(frame: pl.DataFrame, file: Path) -> Path:
    """Write a table in the format that the file's ending tells."""
    WRITERS[file.suffix[1:]](frame, file)
    return file


def sequences(
    count: int = 20, seed: int = 0, least: int = 1, most: int = 8
) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [
        generator.standard_normal((int(generator.integers(least, most + 1)), 2))
        for _ in range(count)
    ]


def long(
    parts: Sequence[np.ndarray], targets: Sequence[object] | None = None
) -> pl.DataFrame:
    """Write sequences below each other: `id`, `t`, `x0`, `x1`, and `y` of each."""
    frames = []
    for number, part in enumerate(parts):
        columns = {"id": [number] * len(part), "t": range(len(part))}
        columns |= {f"x{k}": part[:, k] for k in range(part.shape[1])}
        if targets is not None:
            columns["y"] = [targets[number]] * len(part)
        frames.append(pl.DataFrame(columns))
    return pl.concat(frames)


def dataset_of(data: object, **said: object) -> SequenceDataset:
    dataset = read(data, Reading(**said))
    assert isinstance(dataset, SequenceDataset)
    return dataset


def assert_same(
    given: SequenceDataset, expected: SequenceDataset, names: bool = True
) -> None:
    """Compare everything that a training sees, to the bit."""
    assert given.question == expected.question
    if names:
        assert given.schema == expected.schema
    assert list(given.keys) == list(expected.keys)
    assert given.frames.lengths.tolist() == expected.frames.lengths.tolist()
    for number, length in enumerate(expected.frames.lengths.tolist()):
        one, other = (d.frames.read(number, 0, length) for d in (given, expected))
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    assert given.splits.keys() == expected.splits.keys()
    for part, pieces in expected.splits.items():
        assert given.splits[part].tolist() == pieces.tolist()
