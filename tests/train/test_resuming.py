"""A training that was cut off goes on to the bits of one that was not."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

import throughtime as tt
from tests.data.events import events
from tests.train.conftest import SENTENCE, UNSAID, make_sequences
from tests.train.cutting import CutOff, Cutting, take_up
from tests.train.test_tasks import EVERY
from throughtime.cli import main
from throughtime.data import Dataset, Reading, read, text_dataset
from throughtime.errors import (
    DamagedCheckpoint,
    DataChanged,
    ResumesNothing,
    ResumesOther,
    RunBusy,
    RunExists,
    TrainingDiverged,
)
from throughtime.train import open_run
from throughtime.train.asking.defaults import settle
from throughtime.train.files.folder import held
from throughtime.train.files.storage import read_epoch, weights_of, write_weights
from throughtime.train.interruption import Interruption
from throughtime.train.learning import Loop
from throughtime.train.learning.checkpoints import read_checkpoint
from throughtime.train.preparing.building import make_model
from throughtime.train.showing.progress import Moment, Row
from throughtime.train.tasks import make_task


def make_loop(
    cell: tt.Cell, data: Dataset, folder: Path, cut: int | None, **asked: Any
) -> Loop:
    settings = settle(
        data, {**UNSAID, "seed": 3, "save_every": 0.0, "epochs": 2, **asked}
    )
    torch.manual_seed(settings.seed)
    model, task = make_model(cell, data, settings), make_task(data, settings)
    folder.mkdir(exist_ok=True)
    write_weights(folder / "model.safetensors", weights_of(model), 0)
    return Loop(model, task, settings, folder, Cutting(cut), Interruption())


Make = Callable[[Path, int | None], Loop]


def of(cell: tt.Cell, data: Dataset, **asked: Any) -> Make:
    return lambda folder, cut: make_loop(cell, data, folder, cut, **asked)


TEXT = text_dataset(SENTENCE * 60, "text")
CASES: dict[str, Make] = {
    "classes of sequences": of(
        tt.cells.GRU(), make_sequences(), hidden_size=4, batch_size=7
    ),
    "dropout between layers": of(
        tt.cells.LSTM(),
        make_sequences(),
        hidden_size=4,
        batch_size=7,
        num_layers=2,
        dropout=0.5,
    ),
    "masks in the cell": of(
        tt.cells.Zoneout(tt.cells.LSTM(), h=0.3, c=0.3),
        make_sequences(),
        hidden_size=4,
        batch_size=7,
    ),
    "labels of steps, cut anew": of(
        tt.cells.GRU(), EVERY["classify per step"], hidden_size=3, steps=3, batch_size=2
    ),
    "flossing": of(
        tt.cells.LSTM(),
        make_sequences(),
        hidden_size=4,
        batch_size=7,
        flossing=3,
        flossing_every=1,
    ),
    "several labels": of(
        tt.cells.GRU(), EVERY["multilabel"], hidden_size=3, batch_size=2
    ),
    "items of steps": of(
        tt.cells.GRU(),
        read(events(), Reading("who", "when", items="what:how", target="label")),
        hidden_size=3,
        batch_size=7,
        optimizer="lazy-fobos",
        l1=1e-3,
        l2=1e-3,
    ),
    "a text": of(tt.cells.LSTM(), TEXT, hidden_size=5, batch_size=4, steps=20),
}


@pytest.mark.parametrize("name", CASES)
def test_cut_off_anywhere_it_ends_with_equal_bits(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = CASES[name](tmp_path / "whole", None)
    outcome = whole.run()
    updates = sum(row["updates"] for row in outcome.rows)
    draw = random.Random(name)
    for cut in sorted({1, updates - 1, *draw.sample(range(1, updates), 1)}):
        folder = tmp_path / f"cut after {cut}"
        with pytest.raises(CutOff):
            CASES[name](folder, cut).run()
        again = CASES[name](folder, None)
        take_up(again)
        assert told(again.run().rows) == told(outcome.rows)
        for file in ("model.safetensors", "metrics.jsonl"):
            assert (folder / file).exists()
        best = (folder / "model.safetensors").read_bytes()
        assert best == (tmp_path / "whole" / "model.safetensors").read_bytes()
        assert same(again.state_dict()["updates"], whole.state_dict()["updates"])


def told(rows: list[Row]) -> list[Row]:
    """Give what the rows say, but for how long it took."""
    timed = {"seconds", "sequences_per_second", "steps_per_second"}
    return [{k: v for k, v in row.items() if k not in timed} for row in rows]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def words(*more: str) -> list[str]:
    settings = ["--hidden-size", "16", "--epochs", "4", "--threads", "1", "--layers"]
    shape = ["2", "--dropout", "0.3", "--steps", "20", "--batch-size", "8"]
    return ["train", "text.txt", *settings, *shape, "--save-every", "0", *more]


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "throughtime", *words(*more)]


def killed_again_and_again(folder: Path, kills: int) -> None:
    """Kill a training that goes on each time, at moments that are drawn."""
    draw = random.Random(kills)
    path = folder / "killed" / "checkpoint.pt"
    for _ in range(kills):
        before = path.stat().st_mtime_ns if path.exists() else 0
        process = subprocess.Popen(
            command("--out", "killed", "--resume", "--quiet"),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Half of them before it goes on to learn, half while it does.
        learning = draw.random() < 0.5
        while learning and process.poll() is None:
            if path.exists() and path.stat().st_mtime_ns != before:
                break
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03 if learning else 3))
        process.send_signal(signal.SIGKILL)
        err = process.communicate(timeout=60)[1]
        assert process.returncode in (0, -signal.SIGKILL), err


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "kills", [1, pytest.param(50, marks=pytest.mark.slow)], ids=str
)
def test_killed_at_random_moments_it_ends_with_equal_bits(
    kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(SENTENCE * 40)
    main(words("--out", "whole", "--quiet"), standalone_mode=False)
    killed_again_and_again(tmp_path, kills)
    last = command("--out", "killed", "--resume")
    subprocess.run(last, cwd=tmp_path, check=True, capture_output=True)
    for file in ("model.safetensors", "initial.safetensors", "config.toml"):
        whole = (tmp_path / "whole" / file).read_bytes()
        assert (tmp_path / "killed" / file).read_bytes() == whole
    states = [
        read_checkpoint(tmp_path / run / "checkpoint.pt")["loop"]
        for run in ("whole", "killed")
    ]
    for part in ("model", "updates", "training", "best"):
        assert same(states[0][part], states[1][part])


OPTIONS: dict[str, Any] = {"hidden_size": 4, "threads": 1, "save_every": 0.0}


def test_it_goes_on_with_more_epochs_where_the_step_width_is_constant(
    tmp_path: Path,
) -> None:
    data, options = make_sequences(), {**OPTIONS, "schedule": "constant"}
    once = tt.fit(tt.cells.GRU(), data, epochs=4, out=tmp_path / "once", **options)
    twice = {"out": tmp_path / "twice", **options}
    tt.fit(tt.cells.GRU(), data, epochs=2, **twice)
    run = tt.fit(tt.cells.GRU(), data, epochs=4, resume=True, **twice)
    assert told(run.metrics) == told(once.metrics)
    files = [path / "model.safetensors" for path in (once.path, run.path)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "epochs = 4" in (run.path / "config.toml").read_text()
    with pytest.raises(ResumesOther, match=r"epochs=3 differs .* had 4"):
        tt.fit(tt.cells.GRU(), data, epochs=3, resume=True, **twice)


class Stopping(Cutting):
    """Asks a training to stop after so many updates, as Ctrl-C does."""

    def __init__(self, after: int, interruption: Interruption) -> None:
        super().__init__(after)
        self.interruption = interruption

    def batch(self, now: Moment) -> None:
        """Count an update."""
        try:
            super().batch(now)
        except CutOff:
            self.interruption.wanted = True


@pytest.mark.parametrize("after", [2, 6])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    after: int, tmp_path: Path
) -> None:
    make = CASES["dropout between layers"]
    whole = make(tmp_path / "whole", None)
    whole.run()
    stopped = make(tmp_path / "stopped", None)
    stopped.reporter = Stopping(after, stopped.interruption)
    # It is finished with what was learned of the epoch, and can be used.
    assert stopped.run().stopped == "interrupted"
    again = make(tmp_path / "stopped", None)
    take_up(again)
    assert told(again.run().rows) == told(whole.outcome.rows)
    files = [tmp_path / run / "model.safetensors" for run in ("whole", "stopped")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_weights_and_metrics_of_half_an_epoch_do_not_outlast_it(
    tmp_path: Path,
) -> None:
    stopped = CASES["a text"](tmp_path, None)
    stopped.reporter = Stopping(2, stopped.interruption)
    stopped.run()
    weights, metrics = tmp_path / "model.safetensors", tmp_path / "metrics.jsonl"
    assert (read_epoch(weights), len(metrics.read_text().splitlines())) == (1, 1)
    kept, again = weights.read_bytes(), CASES["a text"](tmp_path, None)
    weights.write_bytes(kept)
    take_up(again)
    # As they are if it is killed now: of no epoch.
    assert (read_epoch(weights), metrics.read_text()) == (0, "")


def test_it_says_whether_it_starts_anew_or_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run" / "checkpoint.pt"
    asked = {**OPTIONS, "epochs": 1, "out": path.parent, "resume": True}

    def said() -> str:
        tt.fit(tt.cells.GRU(), make_sequences(), quiet=False, **asked)
        return capsys.readouterr().err

    assert "run' has no checkpoint yet: the training starts anew" in said()
    again = said()
    assert "goes on after epoch 1" in again
    assert "bits may differ" not in again
    stored = torch.load(path, weights_only=True)
    stored["ranks"][0]["machine"] = "another machine"
    torch.save(stored, path)
    found = said()
    assert "it began with another machine, here is throughtime" in found
    for package in ("throughtime", "llvmlite", "torch"):
        assert version(package).partition("+")[0] in found


def test_a_training_that_starts_anew_leaves_nothing_of_the_one_before(
    tmp_path: Path,
) -> None:
    data, out = make_sequences(), tmp_path / "run"
    tt.fit(tt.cells.GRU(), data, epochs=2, out=out, **OPTIONS)
    (out / "checkpoint.pt").unlink()
    diverging = {**OPTIONS, "learning_rate": 1e39}
    with pytest.raises(TrainingDiverged):
        tt.fit(tt.cells.GRU(), data, out=out, resume=True, **diverging)
    run = open_run(out)
    assert (run.best_epoch, run.metrics, run.stopped) == (0, [], "diverged")
    assert not (out / "curve.png").exists()


def test_a_run_with_something_beside_it_goes_on(tmp_path: Path) -> None:
    data, out = make_sequences(), tmp_path / "run"
    tt.fit(tt.cells.GRU(), data, epochs=2, out=out, **OPTIONS)
    (out / "evaluation.png").write_bytes(b"")
    (out / "notes.txt").write_text("mine")
    longer = {**OPTIONS, "patience": 1, "save_every": 9}
    tt.fit(tt.cells.GRU(), data, epochs=2, out=out, resume=True, **longer)
    assert (out / "notes.txt").read_text() == "mine"


def test_what_would_be_another_training_is_refused(tmp_path: Path) -> None:
    data, run = make_sequences(), tmp_path / "run"
    tt.fit(tt.cells.GRU(), data, epochs=2, out=run, **OPTIONS)
    files = {path: path.read_bytes() for path in run.iterdir()}

    def going_on(cell: tt.Cell, data: Dataset, **changed: Any) -> None:
        options = {"epochs": 2, "out": run, "resume": True, **OPTIONS, **changed}
        tt.fit(cell, data, **options)

    for changed, words in [
        ({"hidden_size": 5}, "hidden_size=5 differs .* had 4"),
        ({"epochs": 3}, "epochs=3 differs .* had 2"),
        ({"threads": 2}, "threads=2 differs .* had 1"),
        ({"seed": 1}, "seed=1 differs"),
    ]:
        with pytest.raises(ResumesOther, match=words):
            going_on(tt.cells.GRU(), data, **changed)
    with pytest.raises(ResumesOther, match=r"cell='LSTM' differs .* had 'GRU'"):
        going_on(tt.cells.LSTM(), data)
    with pytest.raises(DataChanged):
        going_on(tt.cells.GRU(), make_sequences(seed=1))
    with pytest.raises(ResumesNothing):
        going_on(tt.cells.GRU(), data, out=None)
    with pytest.raises(RunExists, match="or resume=True to go on with the training"):
        going_on(tt.cells.GRU(), data, resume=False)
    assert {path: path.read_bytes() for path in run.iterdir()} == files


def test_the_number_of_threads_is_taken_from_the_checkpoint(tmp_path: Path) -> None:
    data, options = make_sequences(), {**OPTIONS, "schedule": "constant"}
    tt.fit(tt.cells.GRU(), data, epochs=1, out=tmp_path / "run", **options)
    options["threads"] = None
    torch.set_num_threads(2)
    try:
        run = tt.fit(
            tt.cells.GRU(),
            data,
            epochs=2,
            out=tmp_path / "run",
            resume=True,
            **options,
        )
    finally:
        torch.set_num_threads(1)
    assert run.settings.threads == 1


def test_only_a_folder_of_a_run_is_taken_for_one(tmp_path: Path) -> None:
    data = make_sequences()
    (tmp_path / "letters.txt").write_text("to someone")
    with pytest.raises(RunExists):
        tt.fit(tt.cells.GRU(), data, out=tmp_path, resume=True, **OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    data, out = make_sequences(), tmp_path / "run"
    tt.fit(tt.cells.GRU(), data, epochs=1, out=out, **OPTIONS)
    path = out / "checkpoint.pt"
    whole = path.read_bytes()
    other = torch.save({"version": 99}, tmp_path / "other") or tmp_path / "other"
    for content in (b"", whole[:1000], whole[: len(whole) // 2], other.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DamagedCheckpoint, match=r"checkpoint\.pt"):
            tt.fit(tt.cells.GRU(), data, epochs=1, out=out, resume=True, **OPTIONS)


def test_one_training_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    data, out = make_sequences(), tmp_path / "run"
    tt.fit(tt.cells.GRU(), data, epochs=1, out=out, **OPTIONS)
    files = {path: path.read_bytes() for path in out.iterdir()}
    with held(out), pytest.raises(RunBusy, match="another training"):
        tt.fit(tt.cells.GRU(), data, epochs=1, out=out, resume=True, **OPTIONS)
    assert {path: path.read_bytes() for path in out.iterdir()} == files
    tt.fit(tt.cells.GRU(), data, epochs=1, out=out, resume=True, **OPTIONS)
