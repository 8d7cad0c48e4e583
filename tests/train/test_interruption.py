"""Ctrl-C: a real signal to a real process keeps what was learned."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import throughtime as tt
from tests.train.conftest import SENTENCE
from tests.train.in_ranks import Interrupting
from throughtime.cli import main
from throughtime.data import SequenceDataset, Split
from throughtime.train import Run, open_run
from throughtime.train.files.storage import read_document
from throughtime.train.interruption import interruptible
from throughtime.train.learning.checkpoints import read_checkpoint


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    (folder / "text.txt").write_text(SENTENCE * 200)
    command = [sys.executable, "-m", "throughtime", "train", "text.txt"]
    settings = ["--out", "run", "--hidden-size", "8", "--epochs", "100000"]
    return subprocess.Popen(
        [*command, *settings, "--patience", "100000", "--threads", "1", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(epochs: int, folder: Path, process: subprocess.Popen[str]) -> None:
    path = folder / "run" / "metrics.jsonl"
    while not path.exists() or len(path.read_text().splitlines()) < epochs:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def test_ctrl_c_keeps_the_best_weights_and_finishes_the_run(tmp_path: Path) -> None:
    process = start(tmp_path, "--json")
    wait_for(2, tmp_path, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    result = json.loads(out)
    run = open_run(tmp_path / "run")
    assert result["stopped"] == run.stopped == "interrupted"
    assert (run.path / "curve.png").exists()
    losses = [row["validation_loss"] for row in run.metrics]
    assert run.best_epoch == 1 + losses.index(min(losses))
    assert abs(run.evaluate("validation")["loss"] - min(losses)) < 1e-6


def test_a_killed_training_leaves_a_run_that_loads(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for(1, tmp_path, process)
    process.kill()
    process.communicate(timeout=60)
    run = open_run(tmp_path / "run")
    assert run.stopped is None
    assert run.evaluate()["loss"] > 0
    tt.load(run.path)
    agree(run)


def test_the_kept_epoch_is_that_of_the_weights_whenever_it_was_killed(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = {"hidden_size": 4, "threads": 1, "schedule": "constant"}
    run = tt.fit(tt.cells.GRU(), signs, epochs=3, out=whole, **options)
    assert run.best_epoch == 3  # or the file below would have no row to leave out
    # Killed between the metrics of the third epoch and its weights.
    tt.fit(tt.cells.GRU(), signs, epochs=2, out=killed, **options)
    shutil.copy(whole / "metrics.jsonl", killed)
    opened = open_run(killed)
    assert (opened.best_epoch, len(opened.metrics)) == (2, 2)
    agree(opened, signs)


def agree(run: Run, data: SequenceDataset | None = None) -> None:
    """Metrics, weights and what the run says of them are of the same epochs."""
    if data is not None:
        options = (run.metrics, run.settings, run.best_epoch)
        run = Run(run.path, read_document(run.path), *options, dataset=data)
    losses = [row["validation_loss"] for row in run.metrics]
    assert run.best_epoch == 1 + losses.index(min(losses))
    assert abs(run.evaluate("validation")["loss"] - min(losses)) < 1e-6


NINE: Mapping[str, Any] = {
    "hidden_size": 4,
    "threads": 1,
    "patience": 9,
    "epochs": 9,
}


class Signals(dict[Split, Any]):
    """Parts of the data; who looks up one of them for the n-th time sends a SIGINT."""

    def __init__(self, parts: Mapping[Split, Any], part: Split, time: int) -> None:
        super().__init__(parts)
        self.part, self.time = part, time

    def __getitem__(self, part: Split) -> Any:
        self.time -= part == self.part
        if part == self.part and not self.time:
            signal.raise_signal(signal.SIGINT)
        return super().__getitem__(part)


@pytest.fixture(scope="module")
def whole(signs: SequenceDataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training that nobody interrupts."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return tt.fit(tt.cells.GRU(), signs, out=out, **NINE)


def interrupted(signs: SequenceDataset, out: Path, part: Split, time: int) -> Run:
    data = replace(signs, splits=Signals(signs.splits, part, time))
    return tt.fit(tt.cells.GRU(), data, out=out, **NINE)


def test_ctrl_c_in_validation_stops_soon(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    # Looked up twice an epoch: to validate, and for a glimpse of the zeros.
    run = interrupted(signs, tmp_path, "validation", 3)
    assert run.stopped == "interrupted"
    assert len(run.metrics) == run.best_epoch == 1
    agree(open_run(tmp_path), signs)


def test_ctrl_c_in_the_first_validation_keeps_what_was_learned(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    run = interrupted(signs, tmp_path, "validation", 1)
    assert (run.stopped, run.best_epoch) == ("interrupted", 1)


@pytest.mark.parametrize("time", [1, 2, 4])
def test_ctrl_c_at_the_end_of_an_epoch_leaves_a_checkpoint_of_it(
    time: int, signs: SequenceDataset, whole: Run, tmp_path: Path
) -> None:
    """In the first validation, which is finished; in a glimpse, after validation."""
    run = interrupted(signs, tmp_path / "stopped", "validation", time)
    assert run.stopped == "interrupted"
    loop = read_checkpoint(run.path / "checkpoint.pt")["loop"]
    assert loop["rows"] == run.metrics
    assert loop["epoch"]["number"] == len(run.metrics) + 1
    run = tt.fit(tt.cells.GRU(), signs, out=run.path, resume=True, **NINE)
    files = [one.path / "model.safetensors" for one in (whole, run)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_epoch_that_was_cut_short_is_marked(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    counting: Any = Interrupting(signs.frames, 0)
    data = replace(signs, frames=counting)
    whole = tt.fit(tt.cells.GRU(), data, out=tmp_path / "whole", **NINE)
    # The last ones read are test, the glimpse, validation, and the end of training.
    parts = [len(signs.splits[part]) for part in ("validation", "test")]
    time = -counting.time - sum(parts) - whole.settings.batch_size - 10
    frames: Any = Interrupting(signs.frames, time)
    data = replace(signs, frames=frames)
    run = tt.fit(tt.cells.GRU(), data, out=tmp_path / "stopped", **NINE)
    marks = [row["interrupted"] for row in run.metrics]
    assert marks == [False] * (len(marks) - 1) + [True]
    assert run.metrics[-1]["updates"] < whole.metrics[0]["updates"]
    assert [row["interrupted"] for row in open_run(run.path).metrics] == marks
    said = CliRunner().invoke(main, ["inspect", str(run.path)]).stdout
    assert "ended by interrupted, the last cut short" in said
    run = tt.fit(tt.cells.GRU(), signs, out=run.path, resume=True, **NINE)
    assert not any(row["interrupted"] for row in run.metrics)


def test_ctrl_c_after_all_epochs_is_no_interruption(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    run = interrupted(signs, tmp_path, "validation", 2 * NINE["epochs"])
    assert (run.stopped, len(run.metrics)) == ("epochs", NINE["epochs"])


def test_ctrl_c_after_the_loop_does_not_cost_the_end(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    run = interrupted(signs, tmp_path, "test", 1)
    assert (run.stopped, len(run.metrics)) == ("epochs", 9)
    assert (run.path / "curve.png").exists()


def test_the_first_signal_is_a_wish_and_the_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as interruption:
        assert not interruption.wanted
        signal.raise_signal(signal.SIGINT)
        assert interruption.wanted
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            second = True
    assert second
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_leaves_signals_alone() -> None:
    seen = []

    def work() -> None:
        with interruptible() as interruption:
            seen.append((signal.getsignal(signal.SIGINT), interruption.wanted))

    thread = threading.Thread(target=work)
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert seen == [(before, False)]
