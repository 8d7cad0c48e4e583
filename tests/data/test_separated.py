"""What stands at the ends of a CSV: names above, lines without anything below."""

from pathlib import Path

import numpy as np
import pytest

from throughtime.data import Reading, SequenceDataset, read
from throughtime.data.sources.separated import SeparatedSource


def source(folder: Path, *contents: str) -> SeparatedSource:
    files = [folder / f"{number}.csv" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_text(content)
    return SeparatedSource("the table", files, {})


@pytest.mark.parametrize("end", ["\n\n\n", ",\n,\n", "\n,\n\n", ""])
def test_nothing_at_the_end_is_no_row(end: str, tmp_path: Path) -> None:
    found = source(tmp_path, f"a,b\n1,2\n,4\n5,\n{end}", "a,b\n7,8\n")
    for columns, rows in ((["a", "b"], 4), (["a"], 4), (["b"], 4)):
        assert sum(len(batch.frame) for batch in found.batches(columns)) == rows
    (first, second) = list(found.batches(["b"]))
    assert first.frame["b"].to_list() == [2, 4, None]
    assert second.where(0) == f"{tmp_path / '1.csv'}, row 1"


def test_a_column_alone_may_end_with_what_is_missing(tmp_path: Path) -> None:
    found = source(tmp_path, "a\n1\n\n3\n\n")
    (batch,) = list(found.batches(["a"]))
    assert batch.frame["a"].to_list() == [1, None, 3, None]


def test_whole_numbers_may_be_names(tmp_path: Path) -> None:
    assert list(source(tmp_path, "2024,2025\n1.5,2\n").dtypes) == ["2024", "2025"]


def test_a_saved_sheet_with_empty_lines_below_is_read(tmp_path: Path) -> None:
    rows = "".join(f"{k // 5},{k}\n" for k in range(60))
    (tmp_path / "t.csv").write_text(f"who,x\n{rows}\n,\n")
    dataset = read(tmp_path / "t.csv", Reading(sequence="who"))
    assert isinstance(dataset, SequenceDataset)
    assert np.array_equal(dataset.frames.lengths, [5] * 12)
