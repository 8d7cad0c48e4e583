"""Two processes learn what one learns: real processes, started by torchrun."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed import DistNetworkError, HashStore

from tests.train.conftest import UNSAID
from tests.train.in_ranks import OF_ROWS, TRAININGS, found, of_rows, trained
from tests.train.processes import ENVIRONMENT, ROOT
from tests.train.test_tasks import EVERY
from throughtime.cells import GRU
from throughtime.data import SequenceBatches, TextStreams, text_dataset
from throughtime.errors import DeviceMissing, NotShared, RankLost, ResumesOther
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.ranges import LARGEST_SEED
from throughtime.train.learning.checkpoints import read_checkpoint, write_checkpoint
from throughtime.train.preparing.building import make_model
from throughtime.train.ranks import ALONE, Ranks, joined
from throughtime.train.ranks.joining import own_gpus
from throughtime.train.ranks.ranks import lost
from throughtime.train.ranks.watching import Watch, _looks
from throughtime.train.tasks import make_task

WORLD = 2
# Processes start slowly on a machine that is busy with other tests.
pytestmark = pytest.mark.timeout(300)
Told = list[dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What each process found."""
    out = tmp_path_factory.mktemp("ranks")
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={WORLD}"]
    ended = subprocess.run(
        [sys.executable, "-m", *torchrun, "-m", "tests.train.in_ranks", str(out)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    # Of two commands, the first process alone says what came out.
    assert json.loads(ended.stdout)["stopped"] == "epochs"
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(WORLD)]


@pytest.mark.parametrize("name", TRAININGS)
def test_two_processes_find_what_one_finds(
    name: str, told: Told, tmp_path: Path
) -> None:
    expected = found(trained(name, tmp_path))
    for row, other in zip(told[0][name], expected, strict=True):
        assert row == pytest.approx(other, rel=1e-9, abs=1e-12)
    assert told[0][name] == told[1][name]


@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_that_one_process_names_change_in_all(name: str, told: Told) -> None:
    expected = of_rows(name, ALONE)
    first, second = (one["rows"][name] for one in told)
    assert first == second  # to the bit
    assert first["stamps"] == expected["stamps"]
    assert first["weights"] == pytest.approx(expected["weights"], rel=1e-9, abs=1e-12)


def test_a_wish_of_one_process_stops_all_and_they_go_on_to_the_same_bits(
    told: Told,
) -> None:
    prints = [each for one in told for each in one["fingerprints"]]
    assert len(prints) == 2 * WORLD
    assert len(set(prints)) == 1


def test_a_slow_process_is_waited_for_longer_than_a_long_text_takes(
    told: Told,
) -> None:
    assert told[0]["patience"] == told[1]["patience"] > 24 * 60 * 60


def test_all_processes_are_refused_with_the_same_words(told: Told) -> None:
    rows, taken, other, diverged = told[0]["refused"]
    assert "batch_size=1 cannot be shared by 2 processes" in rows
    assert "holds something already" in taken
    assert "The settings of process 1 differ from those of process 0" in other
    assert "expected a finite number" in diverged
    assert told[0]["refused"] == told[1]["refused"]


@pytest.mark.parametrize("world", [2, 3, 7])
def test_the_shares_of_sequences_are_all_of_them_once(world: int) -> None:
    data = EVERY["classify per step"]
    pieces = data.splits["train"]

    def batches(share: slice) -> list[Any]:
        order = torch.Generator().manual_seed(1)
        return list(SequenceBatches(data.frames, pieces, 5, order, share=share))

    shares = [batches(Ranks(rank, world).share) for rank in range(world)]
    for whole, *parts in zip(batches(ALONE.share), *shares, strict=True):
        given = torch.cat([part.pieces for part in parts])
        assert sorted(given.tolist()) == sorted(whole.pieces.tolist())
        for part in parts:
            assert part.frames.shape[1] == len(part.lengths) == len(part.first) > 0
            if not len(part.pieces):
                assert (part.frames.shape[:2], part.lengths.tolist()) == ((1, 1), [0])


@pytest.mark.parametrize("whole", [False, True])
def test_the_shares_of_a_text_are_its_streams(whole: bool) -> None:
    symbols = np.arange(60)
    everything = list(TextStreams(symbols, 5, 4, whole))
    for rank in range(7):
        share = Ranks(rank, 7).share
        own = list(TextStreams(symbols, 5, 4, whole, share=share))
        assert len(own) == (len(everything) if rank < 5 else 0)
        for chunk, all_of_it in zip(own, everything, strict=False):
            assert chunk.inputs.equal(all_of_it.inputs[:, share])
            assert chunk.targets.equal(all_of_it.targets[:, share])
            assert chunk.lengths.equal(all_of_it.lengths[share])


def test_a_checkpoint_is_of_as_many_processes_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"model": 5, "training": 1, "epoch": 2, "begun": 3})
    assert read_checkpoint(path)["loop"]["model"] == 5
    stored = torch.load(path, weights_only=True)
    torch.save({**stored, "ranks": 2 * stored["ranks"]}, path)
    with pytest.raises(ResumesOther, match=r"processes=1 differs .* had 2"):
        read_checkpoint(path)


def test_who_is_alone_asks_nobody() -> None:
    tensor = torch.ones(2)
    ALONE.add_up([tensor])
    ALONE.spread([tensor])
    assert tensor.tolist() == [1, 1]
    assert ALONE.any(True, False) == (True, False)
    assert ALONE.gather(3) == ALONE.gather_first(3) == [3]
    assert ALONE.from_first(lambda: 5) == 5


def test_processes_of_one_machine_share_its_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert Ranks(0, 4, on_machine=4).threads() == threads
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert Ranks(0, 4, on_machine=4).threads() == max(1, threads // 4)
    assert ALONE.threads() == threads


def test_each_process_draws_masks_of_its_own() -> None:
    seeds = {Ranks(rank, 3).seed(LARGEST_SEED - 1) for rank in range(3)}
    assert seeds == {LARGEST_SEED - 1, LARGEST_SEED, 0}


def test_more_processes_than_sequences_to_follow_are_refused_at_once() -> None:
    data = EVERY["regress per step"]
    count = len(data.splits["train"])
    settings = settle(data, {**UNSAID, "tbptt": 4, "batch_size": 99})
    with pytest.raises(NotShared, match=f"of which there are {count}"):
        make_task(data, settings, Ranks(0, count + 1))


@pytest.mark.parametrize("cut", [{"steps": 1}, {"tbptt": "1:3"}])
def test_a_character_is_named_where_it_stands_in_the_text(cut: dict[str, Any]) -> None:
    # Each character but once, so that what is to come next says where it stands.
    text = text_dataset("".join(map(chr, range(1000, 2200))), "text")
    settings = settle(text, {**UNSAID, "hidden_size": 3, "batch_size": 5, **cut})
    model = make_model(GRU(), text, settings)
    task = make_task(text, settings, Ranks(0, 2))
    read = [place for own in text.splits["train"] for place in own]
    seen = 0
    for answers in task.training(model, torch.Generator()):
        assert answers.rerun is not None
        for row, target in enumerate(answers.targets[-1, :, 0].tolist()):
            after = read.index(text.symbols.tolist().index(target))
            expected = f"character {read[after - 1]} of the text"
            assert answers.rerun.place(row, -1) == expected
            seen += read[after - 1] != read[after] - 1
    assert seen


def test_where_processes_cannot_meet_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(RankLost, match="MASTER_ADDR expected"), joined():
        pass
    refused = pytest.raises(NotShared, match="device='cuda:1' cannot be shared by 2")
    with refused, joined("cuda:1"):
        pass


@pytest.mark.parametrize(
    ("seen", "own"),
    [
        ("ab ab", "a b"),  # two processes of a machine
        ("abc abc abc xyz xyz", "a b c x y"),  # of two machines
        ("a b", "a b"),  # each was shown one of its own
        ("ab ba", "a b"),  # each has chosen one before
        ("ba ab", "b a"),
        ("ba bac ab", "b a None"),
        ("ab", "a"),
    ],
)
def test_each_process_takes_a_gpu_of_its_own(seen: str, own: str) -> None:
    if "None" not in own:
        assert own_gpus(seen.split()) == own.split()
        return
    with pytest.raises(DeviceMissing, match="process 2 needs one of its own of the 2"):
        own_gpus(seen.split())


def test_a_machine_without_gpus_says_so_for_all() -> None:
    with pytest.raises(DeviceMissing, match="process 0 needs one of its own of the 0"):
        own_gpus([(), ()])


class Watched:
    """Some processes that watch each other, for some looks."""

    def __init__(self, store: Any, world: int = 3) -> None:
        self.said: list[str] = []
        self.keep = [
            Watch(store, rank, world, self.hear, every=0.01, missed=50).kept()
            for rank in range(world)
        ]

    def hear(self, lost: RankLost) -> None:
        self.said.append(str(lost))

    def look(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.said and time.monotonic() < until:
            time.sleep(0.02)


def test_who_is_slow_is_waited_for_and_who_is_silent_is_lost() -> None:
    watched = Watched(HashStore())
    first, second, third = watched.keep
    with first, second:
        with third:
            watched.look(1.5)
            assert not watched.said
        watched.look(1.5)  # the third has done all that there was to do
        assert not watched.said
    watched = Watched(HashStore())
    first, second, third = watched.keep
    with first, second:
        with pytest.raises(KeyError), third:
            raise KeyError
        watched.look(20)
    expected = "(process 2 has given no sign of life for 0.5 s), expected all 3 until"
    assert expected in watched.said[0]


def test_where_nobody_can_be_heard_it_is_the_same() -> None:
    class Gone:
        def add(self, key: str, count: int) -> int:
            raise DistNetworkError(key)

    watched = Watched(Gone(), world=1)
    with watched.keep[0]:
        watched.look(20)
    assert "no sign of life" in watched.said[0]


def test_who_is_stopped_with_all_others_is_not_silent() -> None:
    """Signs are counted: however long nobody looks, nobody is missed."""
    assert _looks([3, 3, 3], [5, 5, 5], [6, 5, 2**40]) == [0, 4, 0]


def test_what_is_said_of_a_lost_process_is_short() -> None:
    said = "[/there/pair.cc:537] Read error [127.0.0.1]:60126: Reset. This is typical."
    expected = "does not answer (Read error [127.0.0.1]:60126: Reset), expected all 2"
    assert expected in str(lost(2, RuntimeError(said)))
    assert "(RuntimeError)" in str(lost(2, RuntimeError()))
