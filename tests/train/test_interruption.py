"""Ctrl-C: a real signal to a real process keeps what was learned."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import throughtime as tt
from tests.train.conftest import SENTENCE
from throughtime.train import open_run
from throughtime.train.interruption import interruptible


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
