"""evaluate with new data, predict and inspect, as a person uses them."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner, Result

import throughtime as tt
from throughtime.cli import main
from throughtime.estimators import SequenceRegressor, SymbolModel
from throughtime.train import judge, open_run, predict

QUICK = "--hidden-size 6 --epochs 2 --threads 1 --quiet --dtype float64".split()


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def frame(seed: int = 0, sequences: int = 12) -> pl.DataFrame:
    """Rows of sequences of 3 to 7 steps; a class, a label and a number per step."""
    drawn = np.random.default_rng(seed)
    parts = []
    for who in range(sequences):
        steps = int(drawn.integers(3, 8))
        x = drawn.standard_normal(steps).round(3)
        parts.append(
            pl.DataFrame(
                {
                    "who": [f"p{who:02}"] * steps,
                    "when": range(steps),
                    "x": x,
                    "y": drawn.standard_normal(steps).round(3),
                    "mood": np.where(x > 0, "up", "down"),
                    "level": (10 + 3 * x).round(3),
                    "kind": ["odd" if who % 2 else "even"] * steps,
                }
            )
        )
    return pl.concat(parts)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame().write_csv("table.csv")
    return tmp_path


def trained(target: str, out: str, *more: str) -> str:
    words = ["--sequence", "who", "--time", "when", "--features", "x,y"]
    done = call(
        "train", "table.csv", *words, "--target", target, *QUICK, "--out", out, *more
    )
    assert done.exit_code == 0, done.output
    return out


def asked(features: pl.DataFrame, run: str) -> torch.Tensor:
    """What the model itself says to one sequence."""
    model = tt.load(run)
    x = torch.tensor(features.select("x", "y").to_numpy())[:, None]
    with torch.no_grad():
        return model(x)[0]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_answers_per_step_stand_beside_their_rows(ending: str) -> None:
    run = trained("mood", "run")
    new = frame(seed=1).sample(fraction=1.0, shuffle=True, seed=3)
    new.drop("mood").write_csv("new.csv")
    done = call("predict", run, "new.csv", "--out", f"said.{ending}")
    assert done.exit_code == 0, done.output
    assert f"{len(new)} rows: said.{ending}" in done.output
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    said = read[ending](f"said.{ending}")
    assert said.columns == ["who", "when", "mood", "p(down)", "p(up)"]
    assert said.select("who", "when").equals(new.select("who", "when"))
    for who in new["who"].unique():
        rows = new.filter(pl.col("who") == who).sort("when")
        own = said.filter(pl.col("who") == who).sort("when")
        expected = asked(rows, run)[:, 0].numpy()
        given = own.select("p(down)", "p(up)").to_numpy()
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)
        likely = np.array(["down", "up"])[expected.argmax(1)]
        assert own["mood"].to_list() == likely.tolist()


def test_answers_per_sequence_come_in_the_order_of_first_rows() -> None:
    run = trained("kind", "run", "--split", "sequence")
    new = frame(seed=1).sample(fraction=1.0, shuffle=True, seed=4)
    new.write_csv("new.csv")
    assert call("predict", run, "new.csv", "--out", "said.csv").exit_code == 0
    said = pl.read_csv("said.csv")
    assert said["who"].to_list() == new["who"].unique(maintain_order=True).to_list()
    first = new.filter(pl.col("who") == said["who"][0]).sort("when")
    given = said.select("p(even)", "p(odd)").to_numpy()[0]
    np.testing.assert_allclose(given, asked(first, run)[0].numpy(), atol=1e-12)


def test_real_numbers_are_in_their_own_units() -> None:
    run = trained("level", "run", "--epochs", "30", "--learning-rate", "0.02")
    assert call("predict", run, "table.csv", "--out", "said.csv").exit_code == 0
    said = pl.read_csv("said.csv")
    assert said.columns == ["who", "when", "level"]
    assert abs(float(said["level"].mean()) - 10) < 2


def test_new_data_are_measured() -> None:
    run = trained("mood", "run")
    frame(seed=2, sequences=40).write_csv("new.csv")
    done = call("evaluate", run, "new.csv", "--json", "--picture", "new.png")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["sequences"] == 40
    assert Path("new.png").read_bytes().startswith(b"\x89PNG")
    low, high = result["interval"]["low"], result["interval"]["high"]
    assert low <= result["accuracy"] <= high
    [again] = judge(open_run(run), data="new.csv")
    assert again.values["accuracy"] == result["accuracy"]


def test_a_text_is_measured_on_another_text() -> None:
    Path("a.txt").write_text("the quick brown fox jumps over a dog.\n" * 20)
    Path("b.txt").write_text("the brown dog jumps over a quick fox.\n" * 3)
    assert call("train", "a.txt", *QUICK, "--out", "run").exit_code == 0
    done = call("evaluate", "run", "b.txt")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("b.txt bits per character ")
    refused = call("predict", "run", "b.txt", "--out", "said.csv")
    assert refused.exit_code == 2
    assert "has learned a text" in refused.output


def test_python_writes_the_same(folder: Path) -> None:
    run = open_run(trained("mood", "run"))
    assert call("predict", "run", "table.csv", "--out", "a.csv").exit_code == 0
    assert predict(run, frame(), "b.csv") == len(frame())
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_what_does_not_fit_the_schema_is_refused() -> None:
    run = trained("mood", "run")
    frame().drop("y").write_csv("new.csv")
    refused = call("predict", run, "new.csv", "--out", "said.csv")
    assert refused.exit_code == 2
    assert "'y'" in refused.output
    assert not Path("said.csv").exists()
    wrong = call("predict", run, "table.csv", "--out", "said.xlsx")
    assert wrong.exit_code == 2
    assert "said.xlsx" in wrong.output


def test_inspect_says_what_is_in_data_and_in_a_run() -> None:
    seen = call("inspect", "table.csv", "--sequence", "who", "--target", "mood")
    assert seen.exit_code == 0, seen.output
    assert "12 of " in seen.stdout
    assert "classify, an answer per step" in seen.stdout
    assert "--missing" not in seen.stdout
    gaps = frame().with_columns(pl.when(pl.col("y") > -1).then("y").alias("y"))
    gaps.write_csv("gaps.csv")
    told = call("inspect", "gaps.csv", "--sequence", "who", "--target", "mood")
    assert "train refuses missing values until --missing says" in told.stdout
    Path("own.txt").write_text("to be or not to be\n" * 20)
    text = call("inspect", "own.txt")
    assert text.exit_code == 0, text.output
    assert "next character" in text.stdout
    run = trained("mood", "run")
    told = call("inspect", run)
    assert told.exit_code == 0, told.output
    for words in ("run: LSTM", "table.csv", "c_t = f_t ⊙ c_{t−1}", "train table.csv"):
        assert words in told.stdout
    result = json.loads(call("inspect", run, "--json").stdout)
    assert result["targets"] == ["down", "up"]
    assert result["parameters"] == sum(
        weight.numel() for weight in tt.load(run).parameters()
    )


def test_measuring_rows_without_their_truth_names_the_command_that_needs_none() -> None:
    run = trained("mood", "run")
    frame(1).drop("mood").write_csv("new.csv")
    done = call("evaluate", run, "new.csv")
    assert done.exit_code == 2
    assert "There is no column 'mood' in new.csv, expected it" in done.stderr
    assert "use `throughtime predict`" in done.stderr
    frame(1).with_columns(pl.lit(None, pl.String).alias("mood")).write_csv("new.csv")
    told = call("evaluate", run, "new.csv").stderr
    assert "row 1, column 'mood' has no value" in told
    assert "`throughtime predict` needs no truth" in told
    assert call("predict", run, "new.csv", "--out", "o.csv").exit_code == 0


def test_of_data_that_were_in_memory_it_says_what_a_command_can_measure() -> None:
    drawn = np.random.default_rng(0)
    X = [drawn.standard_normal((4, 2)) for _ in range(20)]
    y = [matrix.sum() for matrix in X]
    small = {"hidden_size": 2, "epochs": 1, "threads": 1}
    SequenceRegressor(**small).fit(X, y).save("run")
    refused = call("evaluate", "run")
    assert refused.exit_code == 2
    assert "give a table with the columns sequence, x0, x1, target" in refused.stderr
    assert "open_run" not in refused.stderr
    columns = {"sequence": np.repeat(range(20), 4), "target": np.repeat(y, 4)}
    features = {f"x{k}": np.concatenate(X)[:, k] for k in range(2)}
    pl.DataFrame(columns | features).write_csv("new.csv")
    assert call("evaluate", "run", "new.csv").exit_code == 0
    SymbolModel(**small).fit("to be or not to be " * 20).save("text")
    assert "to measure: give a text after the run" in call("evaluate", "text").stderr


def test_the_data_of_the_training_are_no_new_data_and_that_is_said() -> None:
    run = trained("mood", "run")
    note = "DATA are those of the training, learned rows included"
    assert note in call("evaluate", run, "table.csv").stderr
    frame(1).write_csv("new.csv")
    assert call("evaluate", run, "new.csv").stderr == ""


def test_each_of_several_targets_has_its_accuracy() -> None:
    words = [
        "--sequence",
        "who",
        "--time",
        "when",
        "--features",
        "x,y",
        "--per",
        "step",
    ]
    words += ["--target", "mood,kind", *QUICK, "--out", "run"]
    done = call("train", "table.csv", *words)
    assert done.exit_code == 0, done.output
    run = open_run("run")
    each = run.accuracies()
    assert list(each) == ["mood", "kind"]
    for target, share in each.items():
        assert f"  of {target}: {share:.4f} accuracy" in done.stdout
        found = run.predicted("test", target)
        right = (found.outputs.argmax(axis=1) == found.targets).mean()
        assert share == pytest.approx(right, abs=1e-12)
    blended = run.evaluate()["accuracy"]
    assert f"test accuracy over all targets {blended:.4f}" in done.stdout
    assert blended == pytest.approx(sum(each.values()) / 2)
    measured = call("evaluate", "run").stdout
    assert f"test, target kind: accuracy {each['kind']:.4f}" in measured
    assert "accuracy over all targets (trivial)" in measured
    assert open_run(trained("mood", "alone")).accuracies() == {}


def test_bundled_data_go_by_name_wherever_their_columns_fit() -> None:
    words = ["--hidden-size", "4", "--epochs", "1", "--quiet", "--threads", "1"]
    assert call("train", "co2", *words, "--out", "co2-run").exit_code == 0
    for _ in range(2):  # the second replaces what the first wrote
        done = call("predict", "co2-run", "co2", "--out", "out.csv")
        assert done.exit_code == 0, done.output
    written = pl.read_csv("out.csv")
    assert written.columns == ["sequence", "co2+1"]
    assert len(written) == 2284
    # The test part alone and as rows of the whole: the same answers.
    run = open_run("co2-run")
    answers = run.predicted("test")
    rows = written["co2+1"].to_numpy()[answers.steps]
    np.testing.assert_allclose(rows, answers.outputs[:, 0], rtol=1e-5)
    other = call("predict", "co2-run", "chorales", "--out", "out.csv")
    assert "chorales has no column 'co2'" in other.stderr
    text = call("evaluate", "co2-run", "shakespeare")
    assert "shakespeare is a text, expected a table" in text.stderr
    assert other.exit_code == text.exit_code == 2


def test_a_text_model_is_measured_on_a_bundled_text_alone() -> None:
    Path("a.txt").write_text("To be, or not to be, that is the question.\n" * 9)
    words = ["--hidden-size", "4", "--epochs", "1", "--quiet", "--threads", "1"]
    assert call("train", "a.txt", *words, "--out", "run").exit_code == 0
    done = call("evaluate", "run", "shakespeare", "--json")
    assert json.loads(done.stdout)["answers"] > 500_000
    refused = call("evaluate", "run", "co2")
    assert refused.exit_code == 2
    assert "'co2' has columns, expected a text" in refused.stderr


def test_new_data_are_measured_where_those_of_the_training_are_gone() -> None:
    level = 300 + np.sin(np.arange(80)).round(3)
    pl.DataFrame({"level": level}).write_csv("level.csv")
    assert call("train", "level.csv", *QUICK, "--out", "run").exit_code == 0
    Path("level.csv").rename("moved.csv")
    done = call("evaluate", "run", "moved.csv")
    assert done.exit_code == 0, done.output
    assert "mase is not defined: " in done.stdout
    gone = call("evaluate", "run")
    assert gone.exit_code == 2
    assert "level.csv' any more" in gone.stderr
    pl.DataFrame({"level": level[:1]}).write_csv("short.csv")
    short = call("evaluate", "run", "short.csv")
    assert short.exit_code == 2
    assert "short.csv has no step whose answer can be measured" in short.stderr


def test_a_folder_that_is_not_there_is_said_before_anything_is_predicted() -> None:
    run = trained("mood", "run")
    done = call("predict", run, "table.csv", "--out", "nowhere/answers.csv")
    assert done.exit_code == 2
    assert "cannot be written: there is no folder 'nowhere'; make it" in done.stderr


def test_rows_without_the_time_that_ordered_them_in_training_are_refused() -> None:
    run = trained("mood", "run")
    frame(seed=1).drop("when").write_csv("new.csv")
    done = call("predict", run, "new.csv", "--out", "answers.csv")
    assert done.exit_code == 2
    assert "new.csv has no column 'when'" in done.stderr
