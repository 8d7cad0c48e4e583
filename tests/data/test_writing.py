"""Tables are written whole or not at all."""

import resource
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from throughtime.data import write_table
from throughtime.errors import CannotWrite, FolderMissing, UnknownTableFormat

COLUMNS = {"key": pl.String, "step": pl.Int64, "probability": pl.Float64}
READERS = {
    "csv": pl.read_csv,
    "parquet": pl.read_parquet,
    "jsonl": pl.read_ndjson,
    "NDJSON": pl.read_ndjson,
}


def pieces(count: int = 3, rows: int = 4) -> Iterator[pl.DataFrame]:
    for number in range(count):
        steps = range(number * rows, (number + 1) * rows)
        yield pl.DataFrame(
            {
                "key": [f'a "{number}", b'] * rows,
                "step": steps,
                "probability": [1 / (3 + step) for step in steps],
            },
            schema=COLUMNS,
        )


@pytest.mark.parametrize("ending", READERS)
def test_every_number_is_read_back(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{ending}"
    write_table(path, COLUMNS, pieces())
    assert READERS[ending](path).equals(pl.concat(pieces()))
    write_table(path, COLUMNS, pieces(1))
    assert READERS[ending](path).equals(pl.concat(pieces(1)))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "none.parquet", COLUMNS, iter(()))
    assert pl.read_parquet(tmp_path / "none.parquet").schema == COLUMNS


@pytest.mark.parametrize("name", ["table.txt", "table", "table.csv.zip"])
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownTableFormat, match=r"\.csv, \.parquet, \.jsonl"):
        write_table(tmp_path / name, COLUMNS, pieces())


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(path, COLUMNS, pieces(1))
    before = path.read_bytes()

    def broken() -> Iterator[pl.DataFrame]:
        yield from pieces(1)
        raise KeyError("of the model")

    with pytest.raises(KeyError, match="of the model"):
        write_table(path, COLUMNS, broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_full_disk(ending: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(CannotWrite, match=r"table\."):
            write_table(tmp_path / f"table.{ending}", COLUMNS, pieces(50, 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FolderMissing, match=r"there is no folder .*none'; make it"):
        write_table(tmp_path / "none" / "table.csv", COLUMNS, pieces())
