"""Rows in a file are the rows that would be in memory."""

import errno
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.tables import dataset_of
from throughtime.data.store import FileStore, MemoryStore, read_memory
from throughtime.errors import BadMemory, DiskFull

places = st.integers(0, 20)


@given(st.lists(st.tuples(places, places), max_size=20))
def test_both_stores_hold_what_was_written(writes: list[tuple[int, int]]) -> None:
    stores = [kind(20, 3, np.float32) for kind in (MemoryStore, FileStore)]
    for store in stores:
        store.write(0, np.zeros((20, 3)))
    for number, (start, stop) in enumerate(writes):
        rows = np.full((max(0, stop - start), 3), number) + np.arange(3)
        for store in stores:
            store.write(start, rows.astype(np.float32))
    one, other = (store.read(0, 20) for store in stores)
    assert one.dtype == other.dtype == np.float32
    assert one.tobytes() == other.tobytes()
    for start, stop in writes:
        one, other = (store.read(start, stop) for store in stores)
        assert one.tolist() == other.tolist()


def test_the_file_ends_with_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = FileStore(1000, 4, np.float64)
    store.write(10, np.ones((5, 4)))
    assert list(tmp_path.iterdir()) == []  # it has no name
    opened = store._file
    del store
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(opened)


@pytest.fixture
def small_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_told_before_the_work() -> None:
    table = pl.DataFrame({"x": np.zeros(20_000)})
    with pytest.raises(DiskFull, match=f"0 MB of data .*'{tempfile.gettempdir()}'"):
        dataset_of(table, memory="1kB".upper())


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_fills_up_while_writing_is_told() -> None:
    store = FileStore(10_000, 1, np.float64)
    store.shape = (20_000, 1)
    with pytest.raises(DiskFull, match="TMPDIR"):
        store.write(12_000, np.zeros((5_000, 1)))


@pytest.mark.parametrize(
    ("given_memory", "size"),
    [("0B", 0), ("1KB", 1000), ("1.5 MiB", 1572864), ("2GB", 2 * 10**9)],
)
def test_sizes_are_read(given_memory: str, size: int) -> None:
    assert read_memory(given_memory) == size


@pytest.mark.parametrize("wrong", ["", "12", "many", "-1GB", None, 5])
def test_other_sizes_are_refused(wrong: str) -> None:
    with pytest.raises(BadMemory, match="expected a size such as '256MB'"):
        read_memory(wrong)


MEASURED = """
import sys
from pathlib import Path
from tests.data.tables import dataset_of

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

said = {"sequence": "id", "target": "y"}
folder = Path(sys.argv[1])
dataset_of(folder, **said, memory="1MB")  # what polars itself needs once
sizes = [resident()]
kept = [dataset_of(folder, **said, memory="1MB")]
sizes.append(resident())
kept.append(dataset_of(folder, **said))
sizes.append(resident())
print(sizes[1] - sizes[0], sizes[2] - sizes[1])
"""


def test_memory_stays_flat_beside_a_file(tmp_path: Path) -> None:
    rows = 1_500_000  # 48 MB as float32, 8 columns and a target
    generator = np.random.default_rng(0)
    for number in range(3):
        x = generator.standard_normal((rows // 3, 8), dtype=np.float32)
        columns = {f"x{k}": x[:, k] for k in range(8)}
        columns["id"] = np.sort(generator.integers(0, 500, rows // 3)) + 500 * number
        columns["y"] = (columns["id"] % 2).astype(np.int8)
        pl.DataFrame(columns).write_parquet(tmp_path / f"{number}.parquet")
    # In a process of its own: this one may hold memory that earlier tests gave back.
    # There polars gives back at once what it no longer needs.
    command = [sys.executable, "-c", MEASURED, str(tmp_path)]
    given_back = os.environ | {"_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0"}
    ran = subprocess.run(
        command, check=True, capture_output=True, text=True, env=given_back
    )
    beside_a_file, in_memory = map(int, ran.stdout.split())
    assert beside_a_file < 25e6
    assert in_memory > 35e6
    said = {"sequence": "id", "target": "y"}
    made, everything = (
        dataset_of(tmp_path, **said, **kept) for kept in ({"memory": "1MB"}, {})
    )
    for number in range(0, len(made.keys), 50):
        one, other = (d.frames.read(number, 0, 5000) for d in (made, everything))
        assert one.tobytes() == other.tobytes()
