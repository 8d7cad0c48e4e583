"""Several seeds: the best on validation data is the run, and the spread is told."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import throughtime as tt
from tests.train.conftest import UNSAID
from tests.train.processes import (
    ENVIRONMENT,
    alive,
    children,
    end,
    start,
    write_text,
)
from tests.train.test_interruption import Signals
from throughtime import errors
from throughtime.data import SequenceDataset
from throughtime.math import log, tanh
from throughtime.train import Run, open_run
from throughtime.train.ranks import Ranks
from throughtime.train.restarting import check_restarts
from throughtime.train.restarting.crossing import CannotCross, packed, unpacked
from throughtime.train.restarting.outcomes import spread_in_words

ONE: dict[str, Any] = {"hidden_size": 3, "epochs": 2, "batch_size": 8, "threads": 1}
# Processes start slowly on a machine that is busy with other tests.
processes = pytest.mark.timeout(300)


class Picky(tt.Cell):
    """It is NaN for the seeds that draw a negative gain, of a single unit."""

    weight_ih = tt.Parameter("hidden", "input")
    gain = tt.Parameter("hidden")
    h = tt.State("hidden")

    def step(self, x: Any, h: Any) -> Any:
        return tanh(self.weight_ih @ x + h + log(self.gain))


def weights(run: Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


@processes
@pytest.mark.parametrize("threads", [1, 2])
def test_the_run_is_that_of_the_best_seed_to_the_bit(
    threads: int, signs: SequenceDataset, tmp_path: Path
) -> None:
    """One after the other with one thread, side by side with two."""
    asked = {**ONE, "threads": threads}
    several = tt.fit(
        tt.cells.GRU(), signs, seed=5, restarts=3, out=tmp_path / "run", **asked
    )
    alone = [
        tt.fit(tt.cells.GRU(), signs, seed=seed, out=tmp_path / str(seed), **ONE)
        for seed in (5, 6, 7)
    ]
    losses = [run.evaluate("validation")["loss"] for run in alone]
    best = losses.index(min(losses))
    assert best != 0  # or the first of all would do
    assert weights(several) == weights(alone[best])
    said = several.restarts
    assert said is not None
    assert said["kept"] == several.settings.seed == 5 + best
    found = [one["validation_loss"] for one in said["seeds"]]
    assert [one["seed"] for one in said["seeds"]] == [5, 6, 7]
    assert found == pytest.approx(losses, rel=1e-5)
    spread = said["validation_loss"]
    assert spread == {"min": min(found), "median": sorted(found)[1], "max": max(found)}
    assert several.metrics[0]["loss"] == alone[best].metrics[0]["loss"]
    assert several.evaluate() == pytest.approx(alone[best].evaluate(), rel=1e-6)
    # A folder like any other: nothing of the seeds that lost, and it goes on.
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {path.name for path in alone[0].path.iterdir()} | {"restarts.json"}
    assert alone[0].restarts is None
    again = {**ONE, "seed": 5 + best, "out": several.path, "resume": True}
    assert weights(tt.fit(tt.cells.GRU(), signs, **again)) == weights(several)


def test_a_seed_that_diverges_is_told_and_the_others_go_on(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    asked = {**ONE, "hidden_size": 1}
    run = tt.fit(Picky(), signs, restarts=5, out=tmp_path / "run", **asked)
    said = run.restarts
    assert said is not None
    diverged = [one for one in said["seeds"] if one["stopped"] == "diverged"]
    assert 0 < len(diverged) < 5
    assert all("nan at update 1 of epoch 1" in one["trouble"] for one in diverged)
    assert all(one["validation_loss"] is None for one in diverged)
    assert f"; {len(diverged)} diverged" in spread_in_words(run)
    assert said["kept"] not in {one["seed"] for one in diverged}
    bad = diverged[0]["seed"]
    with pytest.raises(errors.TrainingDiverged) as alone:
        tt.fit(Picky(), signs, seed=bad, out=tmp_path / "alone", **asked)
    assert alone.value.facts["update"] == 1


def test_only_where_all_diverge_the_training_does(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    steep = {**ONE, "learning_rate": 1e30, "clip": 0, "optimizer": "sgd"}
    with pytest.raises(errors.TrainingDiverged, match="run'") as raised:
        tt.fit(tt.cells.Elman("relu"), signs, restarts=2, out=tmp_path / "run", **steep)
    assert raised.value.facts["path"] == tmp_path / "run"
    said = json.loads((tmp_path / "run" / "restarts.json").read_text())
    assert [one["stopped"] for one in said["seeds"]] == ["diverged"] * 2
    assert said["validation_loss"] == {"min": None, "median": None, "max": None}
    tt.train.open_run(tmp_path / "run", data=signs).evaluate("validation")


@pytest.mark.parametrize("time", [3, 9, 12])
def test_ctrl_c_ends_the_seed_that_trains_and_keeps_the_best(
    time: int, signs: SequenceDataset, tmp_path: Path
) -> None:
    # Looked up twice an epoch; the last one comes after all epochs of a seed.
    data = replace(signs, splits=Signals(signs.splits, "validation", time))
    asked = {**ONE, "epochs": 3, "patience": 3}
    run = tt.fit(tt.cells.GRU(), data, restarts=4, out=tmp_path / "run", **asked)
    said = run.restarts
    assert said is not None
    stops = [one["stopped"] for one in said["seeds"]]
    cut = {3: ["interrupted"], 9: ["epochs", "interrupted"], 12: ["epochs"] * 2}
    assert stops == cut[time]
    best = min(said["seeds"], key=lambda one: one["validation_loss"])
    assert said["kept"] == best["seed"]
    assert run.evaluate("validation")["loss"] == pytest.approx(best["validation_loss"])


@processes
def test_ctrl_c_is_passed_on_to_all_that_train(tmp_path: Path) -> None:
    write_text(tmp_path)
    long = ["--epochs", "100000", "--patience", "100000", "--restarts", "3"]
    process = start(tmp_path, *long, "--threads", "2", "--out", "run", "--json")
    rooms = [tmp_path / "run" / "restarts" / str(seed) for seed in (0, 1)]
    while not all((room / "metrics.jsonl").exists() for room in rooms):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    trained = children(process.pid)
    process.send_signal(signal.SIGINT)
    code, out, said = end(process)
    assert code == 0, said
    assert "Traceback" not in said
    assert not any(alive(one) for one in trained)
    result = json.loads(out)
    assert result["stopped"] == "interrupted"
    seeds = result["restarts"]["seeds"]
    assert [one["seed"] for one in seeds] == [0, 1]  # the third one never began
    assert {one["stopped"] for one in seeds} == {"interrupted"}
    assert not (tmp_path / "run" / "restarts").exists()
    assert open_run(tmp_path / "run").settings.seed == result["restarts"]["kept"]


@pytest.mark.slow
@processes
def test_a_process_that_is_killed_is_told_and_leaves_none_behind(
    tmp_path: Path,
) -> None:
    write_text(tmp_path)
    long = ["--epochs", "100000", "--patience", "100000", "--restarts", "2"]
    process = start(tmp_path, *long, "--threads", "2", "--out", "run")
    room = tmp_path / "run" / "restarts" / "0"
    while not (room / "metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    first, second = children(process.pid)
    subprocess.run(["kill", "-KILL", str(first)], check=True)
    code, _, said = end(process)
    assert code == 2
    assert "Error: The training of seed 0 was ended by SIGKILL" in said
    assert not alive(second)
    assert "Traceback" not in said


CELL = """
import throughtime as tt
from beside import squash

class Mine(tt.Cell):
    weight_ih = tt.Parameter("hidden", "input")
    weight_hh = tt.Parameter("hidden", "hidden")
    h = tt.State("hidden")

    def step(self, x, h):
        return squash(self.weight_ih @ x + self.weight_hh @ h)
"""


@processes
def test_a_file_of_ones_own_and_a_file_of_options(tmp_path: Path) -> None:
    """The cell, and what lies beside its file, get into the other processes."""
    write_text(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.py").write_text(CELL)
    (tmp_path / "elsewhere" / "beside.py").write_text(
        "from throughtime.math import tanh\n\ndef squash(v):\n    return tanh(v)\n"
    )
    (tmp_path / "options.toml").write_text(
        'cell = "elsewhere/mine.py:Mine"\nrestarts = 2\nthreads = 2\nepochs = 1\n'
    )
    words = ["--config", "options.toml", "--hidden-size", "4", "--steps", "16"]
    command = [
        sys.executable,
        "-m",
        "throughtime",
        "train",
        "text.txt",
        *words,
        "--out",
        "run",
    ]
    answer = subprocess.run(
        [*command, "--quiet"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "2 seeds: validation loss from" in answer.stdout
    run = open_run(tmp_path / "run")
    assert run.cell == "Mine"
    # What the run says of itself is one training, that of its seed.
    said = (tmp_path / "run" / "config.toml").read_text()
    assert f"seed = {run.settings.seed}\n" in said
    assert "restarts" not in said
    assert "threads = 1\n" in said
    assert "--quiet" in (tmp_path / "run" / "command.txt").read_text()


def test_what_cannot_be_sent_trains_one_seed_after_the_other(
    signs: SequenceDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = tt.cells.GRU()
    cell.lock = threading.Lock()  # no process can have another's
    with pytest.raises(CannotCross):
        packed({"cell": cell})
    asked = {**ONE, "threads": 2, "epochs": 1}
    run = tt.fit(cell, signs, restarts=2, out=tmp_path / "run", quiet=False, **asked)
    assert run.restarts is not None
    said = capsys.readouterr().err
    assert "one seed after the other: they cannot be sent elsewhere" in said
    assert "2 seeds, 1 at a time, threads of each: 2" in said
    assert spread_in_words(run) in said


def test_arguments_come_back_as_they_were(signs: SequenceDataset) -> None:
    back = unpacked(packed({"cell": Picky(), "data": signs, "device": "cpu"}))
    assert type(back["cell"]).__name__ == "Picky"
    assert back["data"].splits.keys() == signs.splits.keys()
    assert back["device"] == "cpu"


@pytest.mark.parametrize(
    ("asked", "kind", "words"),
    [
        ({"restarts": 0}, errors.NumberOutOfRange, "restarts=0"),
        ({"restarts": 2.0}, errors.NumberOutOfRange, r"restarts=2\.0"),
        ({"restarts": True}, errors.NumberOutOfRange, "restarts=True"),
        (
            {"restarts": 2, "resume": True, "out": "run"},
            errors.UnusedSetting,
            "restarts=2, expected none for resume=True",
        ),
        (
            {"restarts": 3, "seed": 2**64 - 2},
            errors.NumberOutOfRange,
            "with restarts=3",
        ),
        ({"restarts": 2, "seed": -1}, errors.NumberOutOfRange, "seed=-1"),
        ({"restarts": 2, "epochs": 0}, errors.NumberOutOfRange, "epochs=0"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    asked: dict[str, Any],
    kind: type[errors.ThroughtimeError],
    words: str,
    signs: SequenceDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=words):
        tt.fit(tt.cells.GRU(), signs, **asked)
    assert list(tmp_path.iterdir()) == []


def test_several_processes_share_one_training() -> None:
    two = Ranks(0, 2, 2, None)
    with pytest.raises(errors.NotShared, match="restarts=2 cannot be shared by 2"):
        check_restarts({**UNSAID, "restarts": 2}, two)
    assert not check_restarts(UNSAID, two)


def test_a_damaged_account_of_the_seeds_is_told(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    run = tt.fit(tt.cells.GRU(), signs, out=tmp_path / "run", **ONE)
    (run.path / "restarts.json").write_text("{")
    with pytest.raises(errors.DamagedModel, match=r"restarts\.json"):
        _ = run.restarts
