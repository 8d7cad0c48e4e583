"""The same data give the same weights, to the bit, in whatever form they come."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.data.tables import long, sequences
from throughtime.cells import GRU
from throughtime.train import fit

PARTS = sequences(least=2)
LABELS = ["ab"[int(part[0, 0] > 0)] for part in PARTS]
QUICK: Mapping[str, Any] = {"hidden_size": 4, "epochs": 2, "threads": 1}
COLUMNS = {"sequence": "id", "time": "t"}


def weights(data: object, out: Path, **said: Any) -> bytes:
    fit(GRU(), data, out=out, **QUICK, **said)
    return (out / "model.safetensors").read_bytes()


def files(frame: pl.DataFrame, folder: Path) -> list[Path]:
    """A CSV, and a folder of Parquet files in which rows are in another order."""
    frame.write_csv(folder / "a.csv")
    mixed = frame.sample(fraction=1, shuffle=True, seed=3)
    (folder / "tables").mkdir()
    mixed[:30].write_parquet(folder / "tables/a.parquet")
    mixed[30:].write_parquet(folder / "tables/b.parquet", row_group_size=7)
    return [folder / "a.csv", folder / "tables"]


def ts_file(folder: Path) -> Path:
    lines = ["@timeStamps false", "@classLabel true a b", "@data"]
    for part, label in zip(PARTS, LABELS, strict=True):
        channels = [",".join(map(repr, channel.tolist())) for channel in part.T]
        lines.append(":".join([*channels, label]))
    file = folder / "a.ts"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.mark.parametrize("question", ["a class per sequence", "a number per step"])
def test_files_frames_and_arrays(question: str, tmp_path: Path) -> None:
    frame = long(PARTS, LABELS)
    targets: Any = LABELS
    if question == "a number per step":
        frame = frame.with_columns(y=2 * pl.col("x0") + 1)
        targets = [2 * part[:, 0] + 1 for part in PARTS]
    said = {**COLUMNS, "target": "y"}
    first = weights(PARTS, tmp_path / "arrays", target=targets)
    assert weights(frame, tmp_path / "frame", **said) == first
    for number, data in enumerate(files(frame, tmp_path)):
        assert weights(data, tmp_path / f"file{number}", **said) == first
        # In a file of its own while it is used.
        spooled = tmp_path / f"spooled{number}"
        assert weights(data, spooled, **said, memory="1KB") == first
    if question == "a class per sequence":
        assert weights(ts_file(tmp_path), tmp_path / "ts") == first


def test_the_steps_of_a_ts_file(tmp_path: Path) -> None:
    """Its targets are of sequences; answers per step are of what follows."""
    frame, said = long(PARTS), {"task": "forecast"}
    first = weights(PARTS, tmp_path / "arrays", **said)
    assert weights(ts_file(tmp_path), tmp_path / "ts", **said) == first
    assert weights(frame, tmp_path / "frame", **COLUMNS, **said) == first
    for number, data in enumerate(files(frame, tmp_path)):
        again = weights(data, tmp_path / f"file{number}", **COLUMNS, **said)
        assert again == first


def test_test_rows_of_a_file_change_nothing(tmp_path: Path) -> None:
    part = np.array(["train"] * 12 + ["validation"] * 4 + ["test"] * 4)
    frame = long(PARTS, LABELS).with_columns(
        part=pl.col("id").replace_strict(dict(enumerate(part.tolist())))
    )
    test = pl.col("part") == "test"
    ways = {
        "as it is": frame,
        "turned": frame.with_columns(t=pl.when(test).then(-pl.col("t")).otherwise("t")),
        "scaled": frame.with_columns(
            x0=pl.when(test).then(pl.col("x0") * 1e6).otherwise("x0")
        ),
        "broken": frame.with_columns(
            x0=pl.when(test).then(None).otherwise("x0"),
            y=pl.when(test).then(pl.lit("a")).otherwise("y"),
        ),
        "mixed": frame.sample(fraction=1, shuffle=True, seed=1),
    }
    said = {**COLUMNS, "target": "y", "split": "part", "missing": "forward"}
    found: set[bytes] = set()
    for name, changed in ways.items():
        changed.write_csv(tmp_path / f"{name}.csv")
        found.add(weights(tmp_path / f"{name}.csv", tmp_path / name, **said))
    assert len(found) == 1
    trained = pl.when(pl.col("id") == 0).then(pl.col("x0") + 1).otherwise("x0")
    other = weights(frame.with_columns(x0=trained), tmp_path / "other", **said)
    assert other not in found
