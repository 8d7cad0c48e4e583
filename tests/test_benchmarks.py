"""The commands that measure speed run, and count and compare as they say."""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks.cells import main
from benchmarks.comparing import check_equal
from benchmarks.measuring import measure_in_turn, timing
from benchmarks.peak import peak_gflops
from benchmarks.shapes import Shape, flops

ROOT = Path(__file__).parent.parent
QUICK = ["--shapes", "4,2,3,5", "--seconds", "0", "--rounds", "1"]


def test_cells_in_one_json_object() -> None:
    command = [sys.executable, "-m", "benchmarks.cells", *QUICK, "--json"]
    answer = subprocess.run(
        [*command, "--threads", "1", "--cells", "RNN,PeepholeLSTM"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(answer.stdout)
    assert found["machine"]["threads"] == 1
    assert found["machine"]["peak_gflops"] > 0
    rows = found["rows"]
    assert [(row["cell"], row["peer"]) for row in rows[::3]] == [
        ("RNN", "torch.nn"),
        ("PeepholeLSTM", "eager loop"),
    ]
    assert [row["work"] for row in rows[:3]] == [
        "training",
        "training with ∂x",
        "inference",
    ]
    for row in rows:
        seconds = row["ours"]["seconds"]
        count = flops(row["cell"], Shape(4, 2, 3, 5), row["work"])
        assert row["ours"]["gflops"] == pytest.approx(count / seconds / 1e9)
        assert row["ratio"] == pytest.approx(row["theirs"]["seconds"] / seconds)


def test_cells_as_a_table() -> None:
    threads = torch.get_num_threads()
    try:
        answer = CliRunner().invoke(main, [*QUICK, "--cells", "GRU", "--threads", "1"])
    finally:
        torch.set_num_threads(threads)
    assert answer.exit_code == 0, answer.output
    for words in ("GRU: throughtime beside torch.nn", "4, 2, 3, 5", "unknown"):
        assert words in answer.output


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--cells", "LSTN"], "'LSTN' is not measured"),
        (["--shapes", "4,2,3"], "'4,2,3' is no shape"),
        (["--shapes", "4,2,3,0"], "'4,2,3,0' is no shape"),
        (["--shapes", " "], "no shape is given"),
    ],
)
def test_what_cannot_be_measured_is_refused(given: list[str], words: str) -> None:
    answer = CliRunner().invoke(main, given)
    assert answer.exit_code == 2
    # A long message is broken into lines with a frame around.
    assert words in " ".join(answer.output.replace("│", " ").split())


@pytest.mark.slow
def test_compiling_is_quicker_from_the_cache() -> None:
    command = [sys.executable, "-m", "benchmarks.compiling", "--json"]
    answer = subprocess.run(
        [*command, "--cells", "RNN", "--size", "5"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = json.loads(answer.stdout)["seconds"]["RNN"]
    assert sum(seconds["cached"].values()) < sum(seconds["cold"].values())


def test_useful_flops_of_an_lstm() -> None:
    # 2 · T·B·G·H · (2 (I + H) + H), as published beside the six shapes.
    shape = Shape(100, 32, 64, 128)
    training = 2 * 100 * 32 * 4 * 128 * (2 * (64 + 128) + 128)
    assert flops("LSTM", shape, "training") == training
    more = flops("LSTM", shape, "training with ∂x") - training
    assert more == 2 * 100 * 32 * 4 * 128 * 64
    assert flops("RNN", shape, "inference") == 2 * 100 * 32 * 128 * (64 + 128)


def test_contestants_run_in_turn() -> None:
    order: list[str] = []
    runs = {name: partial(_sleep, order, name) for name in ("ours", "theirs")}
    found = measure_in_turn(runs, seconds=0, rounds=3)
    assert order[-6:] == ["ours", "theirs"] * 3
    for one in found.values():
        assert one.samples == 3
        assert 0.02 <= one.seconds < 1


def _sleep(order: list[str], name: str) -> None:
    order.append(name)
    time.sleep(0.02)


def test_noise_is_the_interquartile_range() -> None:
    found = timing([1.0, 2.0, 3.0, 4.0, 100.0])
    assert found.seconds == 3
    assert found.noise == pytest.approx(2 / 3)
    assert timing([1.0]).noise is None


@pytest.mark.parametrize("wrong", [2.0, torch.nan])
def test_times_of_different_results_are_not_compared(wrong: float) -> None:
    right, other = torch.ones(3), torch.tensor([1.0, 1.0, wrong])
    check_equal({"throughtime": lambda: right, "peer": lambda: right + 1e-6})
    with pytest.raises(ArithmeticError, match="throughtime and peer differ"):
        check_equal({"throughtime": lambda: right, "peer": lambda: other})


def test_the_peak_is_that_of_a_processor() -> None:
    # Two units of 16 lanes at 6 GHz: a loop that was optimised away would be above.
    assert 0 < peak_gflops(1, iterations=200_000) < 2 * 2 * 16 * 6
