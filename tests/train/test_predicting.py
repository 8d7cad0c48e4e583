"""Answers to new rows: their order, their values, their units, what they are beside."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from throughtime.cells import GRU
from throughtime.errors import OverwritesData
from throughtime.train import Run, fit, predict

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 2, "threads": 1}
COLUMNS: dict[str, Any] = {"sequence": "id", "time": "t"}
READ = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".jsonl": pl.read_ndjson}
WRITE = {
    ".csv": pl.DataFrame.write_csv,
    ".parquet": pl.DataFrame.write_parquet,
    ".jsonl": pl.DataFrame.write_ndjson,
}


def table() -> pl.DataFrame:
    draw = np.random.default_rng(0)
    columns = {"id": np.repeat(np.arange(15), 8), "t": np.tile(np.arange(8), 15)}
    columns |= {name: draw.standard_normal(120) for name in ("x0", "x1")}
    columns["k"] = np.array(["red", "green"])[draw.integers(0, 2, 120)]
    columns["c"] = np.array(["a", "b", "c"])[draw.integers(0, 3, 120)]
    gap = pl.Series(draw.random(120) < 0.2)
    return pl.DataFrame(columns).with_columns(
        x1=pl.when(gap).then(None).otherwise("x1"),
        y=300 + 20 * pl.col("x0"),
        of=pl.when(pl.col("id") % 2 == 0).then(pl.lit("even")).otherwise(pl.lit("odd")),
    )


def mixed() -> pl.DataFrame:
    return table().sample(fraction=1, shuffle=True, seed=5)


def learned(out: Path, features: list[str], target: str, **said: Any) -> Run:
    options = {**QUICK, **COLUMNS, "missing": "forward", **said}
    return fit(GRU(), table(), features=features, target=target, out=out, **options)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("run")
    return learned(out, ["x0", "x1"], "c", dtype="float64")


def test_every_format_holds_the_same_in_the_order_of_the_rows(
    classes: Run, tmp_path: Path
) -> None:
    rows = mixed().drop("c", "y")
    predict(classes, rows, tmp_path / "first.parquet")
    first = pl.read_parquet(tmp_path / "first.parquet")
    assert first.select("id", "t").equals(rows.select("id", "t"))
    for given, write in WRITE.items():
        write(rows, tmp_path / f"rows{given}")
        for asked, read in READ.items():
            out = tmp_path / f"out{asked}"
            assert predict(classes, tmp_path / f"rows{given}", out) == len(rows)
            assert read(out).equals(first)


def test_values_are_those_of_the_model(classes: Run, tmp_path: Path) -> None:
    predict(classes, mixed(), tmp_path / "out.parquet")
    written = pl.read_parquet(tmp_path / "out.parquet").sort("id", "t")
    model, whole = classes.model, table()
    for sequence in range(15):
        steps = whole.filter(pl.col("id") == sequence).select("x0", "x1")
        x = torch.from_numpy(steps.fill_null(float("nan")).to_numpy())[:, None]
        with torch.no_grad():
            logits, _ = model.logits(x, lengths=torch.tensor([len(x)]))
            expected = model.answers(logits, x)[:, 0].numpy()
        found = written.filter(pl.col("id") == sequence)
        shares = found.select("p(a)", "p(b)", "p(c)").to_numpy()
        np.testing.assert_allclose(shares, expected, rtol=0, atol=1e-12)
        likeliest = ["abc"[k] for k in expected.argmax(axis=1)]
        assert found["c"].to_list() == likeliest


def test_sequences_stand_in_the_order_of_their_first_rows(tmp_path: Path) -> None:
    run = learned(tmp_path / "run", ["x0"], "of", dtype="float64")
    rows = mixed().drop("of")
    predict(run, rows, tmp_path / "mixed.parquet")
    predict(run, table(), tmp_path / "sorted.parquet")
    found = pl.read_parquet(tmp_path / "mixed.parquet")
    order = rows["id"].unique(maintain_order=True)
    assert found["id"].equals(order)
    by_key = found.sort("id").select("p(even)", "p(odd)").to_numpy()
    expected = pl.read_parquet(tmp_path / "sorted.parquet").sort("id")
    np.testing.assert_allclose(
        by_key, expected.select("p(even)", "p(odd)").to_numpy(), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("alone", [True, False])
def test_numbers_come_in_their_own_units(alone: bool, tmp_path: Path) -> None:
    run = learned(
        tmp_path / "run", ["x0"], "y", epochs=40, hidden_size=8, learning_rate=0.02
    )
    rows = table().filter(pl.col("id") == 3) if alone else table()
    predict(run, rows.drop("y"), tmp_path / "out.csv")
    error = pl.read_csv(tmp_path / "out.csv")["y"] - rows["y"]
    assert float((error**2).mean()) ** 0.5 < 10  # of a deviation of 20 around 300


def test_the_future_of_one_series_comes_in_its_own_units(tmp_path: Path) -> None:
    t = np.arange(200)
    rows = pl.DataFrame({"t": t, "x": 400 + t / 2 + np.sin(t / 5)})
    run = fit(
        GRU(), rows, time="t", task="forecast", horizon=3, out=tmp_path / "run", **QUICK
    )
    assert predict(run, rows, tmp_path / "out.csv") == 200
    last = pl.read_csv(tmp_path / "out.csv").drop("t").row(-1)
    assert len(last) == 3
    np.testing.assert_allclose(last, 400 + np.arange(200, 203) / 2, atol=3)


def test_categories_that_are_new_or_missing_have_an_answer(tmp_path: Path) -> None:
    run = learned(tmp_path / "run", ["x0", "k"], "y")
    missing = pl.when(pl.col("t") == 2).then(None).otherwise("k")
    for word in (pl.lit("blue"), missing):
        predict(run, table().with_columns(k=word), tmp_path / "out.csv")
        assert pl.read_csv(tmp_path / "out.csv")["y"].is_finite().all()


def test_answers_are_never_written_over_the_rows(classes: Run, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    file = folder / "a.csv"
    table().write_csv(file)
    for data in (file, folder, str(folder / "*.csv")):
        with pytest.raises(OverwritesData, match=r"a\.csv'.* is a file of the data"):
            predict(classes, data, file)
    assert file.read_text() == table().write_csv()
