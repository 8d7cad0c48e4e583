"""`--devices` and `--nodes`: real processes, killed, stopped and gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import throughtime as tt
from tests.train.processes import (
    ENVIRONMENT,
    alive,
    children,
    end,
    start,
    state,
    wait_for_epochs,
    write_text,
)
from throughtime.cli import main
from throughtime.cli.processes import one_of_several

LONG = ["--epochs", "12", "--patience", "99", "--layers", "2", "--dropout", "0.2"]
TWO = ["--devices", "2", "--save-every", "0"]

# Processes start slowly on a machine that is busy with other tests.
pytestmark = pytest.mark.timeout(300)

linux = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="finds processes in /proc"
)


def rows(run: Path) -> list[dict[str, float]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@linux
def test_a_killed_process_ends_the_run(tmp_path: Path) -> None:
    write_text(tmp_path)
    killed = start(tmp_path, "--out", "killed", *LONG, *TWO)
    wait_for_epochs(1, tmp_path / "killed", killed)
    processes = children(killed.pid)
    os.kill(processes[1], signal.SIGKILL)
    since = time.monotonic()
    code, _, said = end(killed)
    assert time.monotonic() - since < 60
    assert code == 2
    errors = [line for line in said.splitlines() if "epoch" not in line]
    assert errors[-1].startswith("Error: Process 1 of 2 was ended by SIGKILL")
    assert "--resume" in errors[-1]
    assert "Traceback" not in said
    assert said.count("Error") == 1
    assert not any(alive(process) for process in processes)


@linux
@pytest.mark.slow
def test_a_run_with_a_killed_process_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    write_text(tmp_path)
    whole = start(tmp_path, "--out", "whole", *LONG, *TWO)
    killed = start(tmp_path, "--out", "killed", *LONG, *TWO)
    wait_for_epochs(1, tmp_path / "killed", killed)
    os.kill(children(killed.pid)[1], signal.SIGKILL)
    assert end(killed)[0] == 2
    assert end(start(tmp_path, "--out", "killed", "--resume", *LONG, *TWO))[0] == 0
    assert end(whole)[0] == 0
    weights = [tmp_path / run / "model.safetensors" for run in ("whole", "killed")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert len(rows(tmp_path / "killed")) == 12


@linux
@pytest.mark.slow
def test_ctrl_c_reaches_all_and_whoever_is_killed_takes_all_along(
    tmp_path: Path,
) -> None:
    write_text(tmp_path)
    words = ["--out", "run", "--epochs", "9999", "--patience", "9999", *TWO]
    process = start(tmp_path, *words)
    wait_for_epochs(2, tmp_path / "run", process)
    process.send_signal(signal.SIGINT)
    code, out, said = end(process)
    assert (code, "(interrupted)" in out) == (0, True), said
    done = len(rows(tmp_path / "run"))
    process = start(tmp_path, *words, "--resume")
    wait_for_epochs(done + 1, tmp_path / "run", process)
    processes = children(process.pid)
    assert len(processes) == 2
    process.kill()
    process.communicate()
    until = time.monotonic() + 30
    while any(alive(child) for child in processes):
        assert time.monotonic() < until
        time.sleep(0.05)


@linux
def test_ctrl_z_halts_all_until_they_are_to_go_on(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\nexec sleep 300\n")
    worker.chmod(0o755)
    script = (
        "import sys; from throughtime.cli.processes import Processes, start; "
        "sys.executable = sys.argv[1]; start([], Processes(2, None, None, None))"
    )
    words = [sys.executable, "-c", script, str(worker)]
    # A group of its own, as a shell gives it: one that nobody is left to continue is
    # not halted by the system.
    process = subprocess.Popen(words, env=ENVIRONMENT, process_group=0)
    until = time.monotonic() + 60
    while len(children(process.pid)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    everyone = [process.pid, *children(process.pid)]
    try:
        for _ in range(2):
            process.send_signal(signal.SIGTSTP)
            wait_for_states("T", everyone)
            process.send_signal(signal.SIGCONT)
            wait_for_states("S", everyone)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not any(map(alive, everyone))


def wait_for_states(expected: str, processes: list[int]) -> None:
    until = time.monotonic() + 60
    while any(state(one) != expected for one in processes):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    write_text(tmp_path)
    words = ["--out", "run", "--devices", "2", "--batch-size", "1"]
    code, out, said = end(start(tmp_path, *words))
    assert (code, out) == (2, "")
    assert said.startswith("Error: --batch-size 1 cannot be shared by 2 processes")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--devices 0", "--devices 0, expected a whole number of at least 1"),
        ("--node-rank 0", "--node-rank 0, expected none for a single machine"),
        ("--master a:1", "--master 'a:1', expected none for a single machine"),
        ("--nodes 2", "--node-rank None, expected a whole number from 0 to 1"),
        ("--nodes 2 --node-rank 2", "--node-rank 2, expected a whole number from 0"),
        ("--nodes 2 --node-rank 1", "--master None, expected HOST:PORT"),
        ("--nodes 2 --node-rank 1 --master here", "--master 'here', expected HOST"),
    ],
)
def test_what_cannot_be_started_is_refused(words: str, said: str) -> None:
    result = CliRunner().invoke(main, ["train", "shakespeare", *words.split()])
    assert result.exit_code == 2
    assert said in result.stderr


def test_one_of_several_starts_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    result = CliRunner().invoke(main, ["train", "shakespeare", "--devices", "2"])
    assert result.exit_code == 2
    assert "--devices 2 for process 3 of 4 that were started together" in result.stderr


@pytest.mark.parametrize(
    ("world", "rank", "speaks"), [("1", "3", True), ("4", "3", False), ("4", "0", True)]
)
def test_the_first_of_several_speaks_and_whoever_is_alone(
    world: str, rank: str, speaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", world)
    monkeypatch.setenv("RANK", rank)
    with one_of_several() as found:
        assert found == speaks


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def two_hosts() -> Iterator[list[tuple[str, ...]]]:
    """Two networks of their own, joined by a wire: what to say before a command."""
    names = [f"tt{os.getpid()}{letter}" for letter in "ab"]
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` to make networks with")
    try:
        for name in names:
            ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network can be made here: {error.stderr.strip()}")
    try:
        wire = [f"{name}w"[-15:] for name in names]
        ends = ["type", "veth", "peer", wire[1], "netns", names[1]]
        ip("link", "add", wire[0], "netns", names[0], *ends)
        for number, (name, end_of_it) in enumerate(zip(names, wire, strict=True), 1):
            address = ["address", "add", f"10.77.7.{number}/24", "dev", end_of_it]
            ip("-n", name, *address)
            for link in ("lo", end_of_it):
                ip("-n", name, "link", "set", link, "up")
        yield [("ip", "netns", "exec", name) for name in names]
    finally:
        for name in names:
            ip("netns", "delete", name)


def test_two_hosts_find_what_one_finds(
    two_hosts: list[tuple[str, ...]], tmp_path: Path
) -> None:
    """The second host has no folder for the run: nothing is written there."""
    hosts = [tmp_path / name for name in ("first", "second")]
    nodes = ["--nodes", "2", "--master", "10.77.7.1:29511", "--dtype", "float64"]
    epochs = ["--epochs", "2", "--out", "run"]
    started = []
    for number, (host, before) in enumerate(zip(hosts, two_hosts, strict=True)):
        host.mkdir()
        write_text(host)
        words = [*epochs, *nodes, "--node-rank", str(number)]
        started.append(start(host, *words, before=before))
    first, second = map(end, started)
    assert (first[0], second) == (0, (0, "", "")), (first, second)
    assert [path.name for path in hosts[1].iterdir()] == ["text.txt"]
    sizes = {"hidden_size": 4, "batch_size": 8, "steps": 16, "threads": 1, "epochs": 2}
    alone = tt.fit(
        tt.cells.LSTM(),
        hosts[0] / "text.txt",
        out=tmp_path / "run",
        dtype="float64",
        **sizes,
    )
    for row, other in zip(rows(hosts[0] / "run"), alone.metrics, strict=True):
        for name in ("loss", "validation_loss", "validation_bits_per_character"):
            assert row[name] == pytest.approx(other[name], rel=1e-9)


@pytest.mark.slow
def test_a_host_whose_other_is_killed_says_so(
    two_hosts: list[tuple[str, ...]], tmp_path: Path
) -> None:
    write_text(tmp_path)
    nodes = ["--nodes", "2", "--master", "10.77.7.1:29511", "--epochs", "9999"]
    started = [
        start(
            tmp_path, "--out", "run", *nodes, "--node-rank", str(number), before=before
        )
        for number, before in enumerate(two_hosts)
    ]
    wait_for_epochs(1, tmp_path / "run", started[0])
    started[1].kill()
    started[1].communicate()
    code, _, said = end(started[0])
    assert code == 2
    assert "Error: Another process of the training does not answer" in said
    assert "Traceback" not in said
