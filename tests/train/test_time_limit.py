"""A training with a time limit ends when its time is used up, and can go on later."""

from pathlib import Path
from typing import Any

import pytest

import throughtime as tt
from tests.train.conftest import SENTENCE
from throughtime.cli import main
from throughtime.data import TextDataset, text_dataset
from throughtime.errors import NumberOutOfRange, ResumesOther
from throughtime.train import Run, open_run
from throughtime.train.files.storage import read_document

ENDLESS = {"epochs": 100_000, "patience": 100_000, "threads": 1, "hidden_size": 4}
LIMIT = 0.3


@pytest.fixture(scope="module")
def short() -> TextDataset:
    """A text of which an epoch is much shorter than the limit, once compiled."""
    return text_dataset(SENTENCE * 20, "text")


@pytest.fixture(scope="module")
def long() -> TextDataset:
    """A text of which an epoch takes longer than that."""
    return text_dataset(SENTENCE * 2000, "text")


def fit(data: Any, out: Path, **said: Any) -> Run:
    return tt.fit(tt.cells.Elman(), data, out=out, **{**ENDLESS, **said})


def test_it_ends_by_time_and_keeps_the_best_weights(
    short: TextDataset, tmp_path: Path
) -> None:
    run = fit(short, tmp_path / "run", time_limit=LIMIT, schedule="constant")
    assert run.stopped == "time"
    assert run.seconds >= LIMIT
    assert read_document(run.path)["training"]["seconds"] == run.seconds
    losses = [row["validation_loss"] for row in run.metrics]
    assert run.best_epoch == 1 + losses.index(min(losses))
    assert open_run(run.path).settings.time_limit == LIMIT


def test_it_ends_within_an_epoch_which_counts(
    long: TextDataset, tmp_path: Path
) -> None:
    run = fit(long, tmp_path / "run", time_limit=LIMIT, batch_size=1, steps=8)
    assert [row["interrupted"] for row in run.metrics] == [True]
    assert run.best_epoch == 1


def test_there_is_one_update_however_short_the_time(
    short: TextDataset, tmp_path: Path
) -> None:
    run = fit(short, tmp_path / "run", time_limit=1e-9)
    assert [row["updates"] for row in run.metrics] == [1]
    assert run.stopped == "time"


def test_it_goes_on_with_more_time_and_counts_what_was_used(
    long: TextDataset, tmp_path: Path
) -> None:
    said = {"batch_size": 1, "steps": 8, "schedule": "constant"}
    first = fit(long, tmp_path / "run", time_limit=LIMIT, **said)
    same = fit(long, tmp_path / "run", time_limit=LIMIT, resume=True, **said)
    assert [same.metrics[0]["updates"]] == [row["updates"] for row in first.metrics]
    assert same.metrics[0]["validation_loss"] == first.metrics[0]["validation_loss"]
    more = fit(long, tmp_path / "run", time_limit=3 * LIMIT, resume=True, **said)
    assert more.metrics[0]["updates"] > first.metrics[0]["updates"]
    assert more.stopped == "time"
    assert more.seconds >= 3 * LIMIT
    with pytest.raises(ResumesOther):
        fit(long, tmp_path / "run", time_limit=LIMIT, resume=True, steps=9)


def test_between_two_epochs_it_has_nothing_more_to_do(
    short: TextDataset, tmp_path: Path
) -> None:
    done = fit(short, tmp_path / "run", epochs=2, schedule="constant")
    more = {"epochs": 3, "time_limit": 1e-9, "resume": True, "schedule": "constant"}
    again = fit(short, tmp_path / "run", **more)
    assert again.metrics == done.metrics
    assert again.stopped == "time"


@pytest.mark.parametrize("given", [0, -1.0, float("inf"), "1m"])
def test_other_limits_are_refused(short: TextDataset, given: Any) -> None:
    with pytest.raises(NumberOutOfRange, match="time_limit"):
        tt.fit(tt.cells.Elman(), short, time_limit=given)


def test_the_command_takes_seconds_and_inspect_says_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(SENTENCE * 20, encoding="utf-8")
    words = "train text.txt --out run --quiet --threads 1 --hidden-size 4".split()
    endless = ["--epochs", "100000", "--patience", "100000"]
    main([*words, *endless, "--time-limit", "0.3"], standalone_mode=False)
    assert "(its time was up)" in capsys.readouterr().out
    main(["inspect", "run"], standalone_mode=False)
    assert "ended by time" in capsys.readouterr().out
