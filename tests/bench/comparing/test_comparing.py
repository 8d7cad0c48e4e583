"""`compare` from data to verdict, on small data in little time."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from matplotlib import image

from tests.train.conftest import SENTENCE, make_sequences
from tests.train.test_tasks import EVERY
from throughtime.baselines import NGram
from throughtime.bench import compare
from throughtime.bench.comparing.comparing import seconds_of
from throughtime.bench.comparing.competing import compete
from throughtime.bench.comparing.contestants import BASELINES
from throughtime.bench.comparing.examples import columns_of, text_of
from throughtime.bench.comparing.judging import judge
from throughtime.bench.comparing.learning import (
    Baseline,
    Fitted,
    always,
    learn_baseline,
)
from throughtime.cli import main
from throughtime.data import load, text_dataset
from throughtime.errors import (
    ModelCannotAnswer,
    NothingToCompare,
    NothingToDecide,
    NumberOutOfRange,
    OneTargetOnly,
    UnknownBackend,
    UnknownChoice,
)
from throughtime.train import open_run
from throughtime.train.interruption import Interruption

QUICK = {"budget": 0.3, "threads": 1}


def remembered(lag: int = 4, count: int = 200) -> Any:
    """Symbols of which every one is that of so many steps before, or another."""
    draw = np.random.default_rng(0)
    rows = []
    for sequence in range(count):
        symbols = draw.integers(0, 2, 40)
        for step in range(lag, 40):
            if draw.random() < 0.95:
                symbols[step] = symbols[step - lag]
        rows += [(sequence, step, "ab"[one]) for step, one in enumerate(symbols)]
    return pl.DataFrame(rows, ["sequence", "step", "symbol"], orient="row")


def test_a_verdict_on_a_forecast(tmp_path: Path) -> None:
    told: list[str] = []
    out = tmp_path / "out"
    models = ["gru", "persistence", "autoregression"]
    found = compare("co2", models=models, out=out, say=told.append, **QUICK)
    assert [row.name for row in found.rows] == [
        "persistence",
        "autoregression",
        "gru",
    ]
    assert [line.split(":")[0] for line in told] == [row.name for row in found.rows]
    assert found.answers == 228
    assert found.chosen is not None and found.chosen.network == "gru"
    assert found.history is not None and found.history.steps[-1] == 128
    stored = json.loads((out / "comparison.json").read_text())
    assert stored["verdict"] == found.verdict
    assert stored["rows"][2]["value"] == found.rows[2].value
    assert image.imread(out / "comparison.png").shape[0] > 300
    run = open_run(out / "runs" / "gru")
    assert run.evaluate("test")["rmse"] == pytest.approx(found.rows[2].value, rel=1e-6)
    persistence = run.baselines()["persistence"]
    assert found.rows[0].value == pytest.approx(persistence, abs=5e-5)  # of the card


def test_where_a_lag_is_to_be_remembered_the_network_wins() -> None:
    found = compare(
        remembered(),
        sequence="sequence",
        time="step",
        task="next",
        models=["marginal", "hmm", "gru"],
        budget=4.0,
        threads=1,
    )
    assert found.metric == "bits_per_symbol"
    assert "is better than the best baseline" in found.verdict
    past = found.history
    assert past is not None
    assert past.values[past.steps.index(2)] > past.whole + 0.2
    assert past.values[past.steps.index(8)] < past.whole + 0.2


def test_the_same_seed_gives_the_same_baselines() -> None:
    signs = make_sequences()
    machine = {"threads": 1, "seed": 0}
    found = []
    for _ in range(2):
        entries = compete(signs, ["marginal", "summary"], 30.0, machine, None, _never)
        found.append(judge(signs, entries, 30.0, 0))
    rows = [one.rows for one in found]
    assert [one.value for one in rows[0]] == [one.value for one in rows[1]]
    assert [one.interval for one in rows[0]] == [one.interval for one in rows[1]]
    # Of networks that all failed, or were never begun.
    assert found[0].chosen is None and found[0].verdict.startswith("Nothing can be")


def _never(_: str) -> None:
    pass


@pytest.mark.parametrize("models", [["gru"], ["marginal", "tcn"], ["gru", "attention"]])
def test_one_of_each_side_is_needed(models: list[str]) -> None:
    with pytest.raises(NothingToDecide, match=r"a recurrent network \(elman"):
        compare(make_sequences(), models=models, budget=300.0)


def choosing(*losses: Any) -> Baseline:
    """A baseline whose candidates say so much too much, or raise."""

    def learn(dataset: Any, wrong: Any, seconds: float, seed: int) -> Fitted:
        if isinstance(wrong, Exception):
            raise wrong
        return Fitted(
            lambda split: [one + wrong for one in columns_of(dataset, split)], 0
        )

    return Baseline(learn, always(*losses), "off by {}")


def test_candidates_that_fail_or_are_no_number_are_passed_over() -> None:
    co2 = load("co2")
    offered = choosing(RuntimeError("no memory"), np.nan, 2.0, 1.0, ValueError("no"))
    found = learn_baseline(offered, co2, 30.0, 0)
    assert found.note == "off by 1.0" and not found.time_up
    with pytest.raises(RuntimeError, match="no memory"):
        learn_baseline(choosing(RuntimeError("no memory")), co2, 30.0, 0)


def test_after_ctrl_c_no_further_candidate_is_tried() -> None:
    asked = Interruption()
    asked.wanted = True
    found = learn_baseline(choosing(2.0, 1.0), load("co2"), 30.0, 0, asked)
    assert found.note == "off by 2.0, interrupted after 1 of 2 choices"


def test_n_grams_choose_their_order_by_the_validation_part() -> None:
    text = text_dataset(SENTENCE * 60, "text")
    found = learn_baseline(BASELINES["kneser-ney"], text, 30.0, 0)
    bits = []
    for order in range(1, 9):
        model = NGram(order).fit(text_of(text, "train"))
        bits.append(model.bits_per_symbol(text_of(text, "validation")))
    assert found.note == f"order {1 + int(np.argmin(bits))}, one discount"


def test_a_model_that_fails_is_a_row_that_says_why() -> None:
    one_class = make_sequences(9)
    models = ["marginal", "summary", "elman"]
    found = compare(one_class, models=models, **QUICK)
    failed = {row.name: row.note for row in found.rows if row.value is None}
    assert set(failed) <= {"summary"}
    headers, rows = found.table()
    assert all(len(row) == len(headers) for row in rows)


def test_ctrl_c_keeps_what_was_measured() -> None:
    text = text_dataset(SENTENCE * 2000, "text")
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))

    def say(line: str) -> None:
        if line.startswith("marginal"):
            timer.start()

    models = ["marginal", "elman", "gru", "lstm"]
    found = compare(text, models=models, budget=300.0, threads=1, say=say)
    timer.join()
    assert [row.name for row in found.rows] == ["marginal", "elman"]
    assert "interrupted" in found.rows[1].note
    assert found.verdict


@pytest.mark.parametrize(
    ("given", "seconds"), [("30s", 30), ("1.5m", 90), ("2h", 7200), (7, 7), (0.5, 0.5)]
)
def test_budgets_are_times(given: Any, seconds: float) -> None:
    assert seconds_of(given) == seconds


@pytest.mark.parametrize("given", ["", "10", "0s", "m", "-1m", "1 m", "5d", 0, True])
def test_other_budgets_are_refused(given: Any) -> None:
    with pytest.raises(NumberOutOfRange, match="budget"):
        seconds_of(given)


def test_models_that_cannot_answer_are_refused_by_name() -> None:
    with pytest.raises(ModelCannotAnswer, match=r"'ngram'.*class of a sequence"):
        compare(make_sequences(), models=["gru", "ngram"])
    with pytest.raises(UnknownChoice, match="did you mean 'gru'"):
        compare(make_sequences(), models=["gur"])
    with pytest.raises(UnknownChoice, match="models"):
        compare(make_sequences(), models=[])


def test_what_cannot_be_compared_is_refused_at_once() -> None:
    several = EVERY["classify per sequence"]
    if len(several.schema.targets) > 1:
        with pytest.raises(OneTargetOnly):
            compare(several, **QUICK)
    signs = make_sequences()
    with pytest.raises(NumberOutOfRange, match="threads"):
        compare(signs, threads=0)
    with pytest.raises(UnknownChoice, match="dtype"):
        compare(signs, dtype="float16")
    with pytest.raises(UnknownBackend):
        compare(signs, backend="none")
    empty = {**signs.splits, "test": signs.splits["test"][:0]}
    object.__setattr__(signs, "splits", empty)
    with pytest.raises(NothingToCompare, match="test"):
        compare(signs)


def call(words: str) -> Result:
    return CliRunner().invoke(main, ["compare", *words.split()])


def test_the_command_prints_table_history_and_verdict(tmp_path: Path) -> None:
    picture = tmp_path / "co2.png"
    words = "co2 --budget 1s --threads 1 --models persistence,gru"
    result = call(f"{words} --picture {picture}")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "co2: a forecast, 228 test answers"
    assert any(line.strip().startswith("persistence*") for line in lines)
    assert any(line.startswith("rmse of gru by the steps") for line in lines)
    assert lines[-1] == f"picture: {picture}" and picture.exists()
    assert result.stderr.splitlines()[0].startswith("persistence: rmse 0.5098 in ")


def test_json_is_for_machines_and_mistakes_are_one_sentence() -> None:
    words = "co2 --budget 1s --threads 1 --models persistence,gru --json --quiet"
    result = call(words)
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["chosen"] == {"network": "gru", "baseline": "persistence"}
    assert said["rows"][0]["compared"]["comparisons"] == 1
    refused = call("co2 --budget soon")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: --budget 'soon', expected a time above 0")


def test_a_picture_that_cannot_be_is_refused_before_anything_is_learned() -> None:
    refused = call("co2 --budget 1h --picture /nonexistent/x.png")
    assert refused.exit_code == 2
    assert "'/nonexistent', expected a folder" in refused.stderr
