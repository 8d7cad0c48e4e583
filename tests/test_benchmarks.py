"""The commands that measure speed run, and count and compare as they say."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from click import Context
from click.testing import CliRunner
from matplotlib.image import imread
from torch import Tensor

from benchmarks.cells import main, measure_all
from benchmarks.comparing import OURS, Bench, Row, check_equal
from benchmarks.contestants import SOURCES, Source, choose
from benchmarks.loop_peers import EagerLoop, UnboundLoop
from benchmarks.measuring import Timing, measure_in_turn, timing
from benchmarks.options import read_peers
from benchmarks.peak import peak_gflops
from benchmarks.peers import Peer, Run, TorchNN, TorchPeer, layer_of
from benchmarks.picture import COLOURS
from benchmarks.profile import OVERHEAD, useful_flops
from benchmarks.shapes import GATES, PRODUCTS, WORKS, Shape, Work, flops
from benchmarks.summaries import summaries
from benchmarks.time_limit import TimeIsUp, time_limit
from tests.covering import crossed

ROOT = Path(__file__).parent.parent
TINY = Shape(4, 2, 3, 5)
QUICK = ["--shapes", "4,2,3,5", "--seconds", "0", "--rounds", "1"]
NAMES = {"cell", "shape", "work", "peak_gflops", "contestants"}
NUMBERS = {
    "seconds",
    "noise",
    "samples",
    "first_call",
    "gflops",
    "of_peak",
    "ratio",
    "way",
}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The command sets them for the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def in_a_process(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.cells", *QUICK, "--threads", "1"]
    answer = subprocess.run(
        [*command, "--json", *options],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(answer.stdout)


def a_bench(compile_budget: float = 60) -> Bench:
    return Bench(0, 1, compile_budget, peak=lambda: 100.0)


def test_cells_in_one_json_object() -> None:
    found = in_a_process(
        *("--cells", "RNN,PeepholeLSTM"),
        *("--peers", "torch.nn,eager loop,eager loop (unbound)"),
    )
    assert set(found) == {
        *("machine", "left_out", "too_slow_to_compile", "summaries", "rows"),
    }
    machine, rows = found["machine"], found["rows"]
    assert machine["threads"] == 1
    assert machine["peak_gflops"] == max(row["peak_gflops"] for row in rows) > 0
    assert machine["libraries"]["torch"] == torch.__version__
    loops = ["eager loop", "eager loop (unbound)"]
    for row, (cell, work) in zip(
        rows,
        [(cell, work) for cell in ("RNN", "PeepholeLSTM") for work in WORKS],
        strict=True,
    ):
        assert set(row) == NAMES
        assert (row["cell"], row["work"]) == (cell, work)
        assert row["shape"] == TINY._asdict()
        peers = ["torch.nn", *loops] if cell == "RNN" else loops
        assert list(row["contestants"]) == [OURS, *peers]
        ours = row["contestants"][OURS]["seconds"]
        for one in row["contestants"].values():
            assert set(one) == NUMBERS
            gflops = flops(cell, TINY, work) / one["seconds"] / 1e9
            assert one["gflops"] == pytest.approx(gflops)
            assert one["of_peak"] == pytest.approx(gflops / machine["peak_gflops"])
            assert one["ratio"] == pytest.approx(one["seconds"] / ours)
    assert len(found["summaries"]) == 3 * len(WORKS)


def test_where_the_time_of_a_step_goes() -> None:
    shapes = "4,2,3,5 60,16,32,64"  # few sequences, more of them
    options = ["--shapes", shapes, "--rounds", "3", "--profile", "--json"]
    words = ["--cells", "GRU", "--peers", "none", "--threads", "1"]
    found = json.loads(CliRunner().invoke(main, [*QUICK, *words, *options]).stdout)
    assert found["summaries"] == []
    peak = found["machine"]["peak_gflops"]
    for row in found["rows"]:
        shape, work, parts = Shape(**row["shape"]), row["work"], row["parts"]
        names = [part["name"] for part in parts]
        expected = ["packing", "first and last states"]
        expected += [*["before the loop"] * (shape.batch < 8), "loop"]
        if work != "inference":
            expected += ["backward: loop"]
            expected += ["input gradient"] * (work == "training with ∂x")
            expected += ["weight gradients"]
        assert names == [*expected, OVERHEAD]
        # Of one step; what was counted twice would leave less than nothing.
        assert sum(part["of_step"] for part in parts) == pytest.approx(1)
        assert min(part["seconds"] for part in parts) > 0
        counted = [part for part in parts if part["flops"] is not None]
        assert sum(part["flops"] for part in counted) == flops("GRU", shape, work)
        for part in counted:
            gflops = part["flops"] / part["seconds"] / 1e9
            assert part["gflops"] == pytest.approx(gflops)
            assert part["of_peak"] == pytest.approx(gflops / peak)


@pytest.mark.parametrize("cell", PRODUCTS)
def test_flops_of_all_parts_are_those_of_the_step(cell: str) -> None:
    for projected in (False, True):
        parts = useful_flops(cell, TINY, projected=projected)
        assert sum(parts.values()) == flops(cell, TINY, "training with ∂x")


def test_cells_as_tables_and_in_a_folder(tmp_path: Path) -> None:
    options = ["--cells", "GRU", "--peers", "torch.nn", "--works", "training with dx"]
    more = ["--threads", "1", "--profile", "--out", str(tmp_path / "found")]
    answer = CliRunner().invoke(main, [*QUICK, *options, *more])
    assert answer.exit_code == 0, answer.output
    for words in (
        *("GRU, training with ∂x", "torch.nn", "4, 2, 3, 5", "worst", "?"),
        *("where the time of throughtime goes", "weight gradients", "overhead"),
    ):
        assert words in answer.output
    found = json.loads((tmp_path / "found" / "results.json").read_text("utf-8"))
    assert [row["work"] for row in found["rows"]] == ["training with ∂x"]
    (ours, theirs) = found["rows"][0]["contestants"].values()
    (line,) = [
        line
        for line in (tmp_path / "found" / "results.md").read_text("utf-8").splitlines()
        if line.startswith("| GRU | 4, 2, 3, 5 | ")
    ]
    numbers = [float(text.strip(" ×%")) for text in line.split("|")[3:-1]]
    milliseconds, speed, percent, ratio = numbers
    assert milliseconds == pytest.approx(ours["seconds"] * 1e3, rel=0.01)
    assert speed == pytest.approx(ours["gflops"], abs=0.051)
    assert percent == pytest.approx(100 * ours["of_peak"], abs=0.51)
    assert ratio == pytest.approx(theirs["ratio"], rel=0.05)
    image = imread(tmp_path / "found" / "results.png")
    assert min(image.shape[:2]) > 300
    assert image.min() < image.max()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--cells", "LSTN"], "'LSTN' is not measured"),
        (["--peers", "torch"], "'torch' is not measured; choose from torch.nn"),
        (["--works", "guessing"], "'guessing' is not measured"),
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


@crossed(cell=list(PRODUCTS), work=list(WORKS))
def test_the_loops_are_the_cells(cell: str, work: Work) -> None:
    kinds: list[type[Peer]] = [TorchNN, EagerLoop, UnboundLoop]
    even = Shape(4, 2, 3, 6)  # so that a projection can halve it
    for row in measure_all(a_bench(), kinds, [cell], [even], [work]):
        has = [kind.name for kind in kinds if cell in kind.cells]
        assert row.peers == has
        assert len(has) >= 2


@pytest.mark.parametrize("name", [name for name in SOURCES if SOURCES[name].needs])
def test_a_peer_from_elsewhere_is_the_same_layer(name: str) -> None:
    if SOURCES[name].missing:
        pytest.skip(f"{' and '.join(SOURCES[name].missing)} is not installed")
    # In a process of its own: libraries of others start threads, and warn of forks.
    works: tuple[Work, ...] = ("training with ∂x", "inference")
    found = in_a_process("--peers", name, "--works", ",".join(works))
    assert found["left_out"] == {}
    took_part = {
        (row["cell"], row["work"])
        for row in found["rows"]
        if name in row["contestants"]
    }
    cells = [cell for cell in GATES if name != "Keras (jax)" or cell != "PeepholeLSTM"]
    some = works[1:] if name == "ONNX Runtime" else works
    assert took_part == {(cell, work) for cell in cells for work in some}


@pytest.mark.slow
def test_the_compiled_loop_is_the_cell() -> None:
    found = in_a_process("--peers", "torch.compile", "--cells", "GRUBefore")
    assert found["too_slow_to_compile"] == []
    for row in found["rows"]:
        assert list(row["contestants"]) == [OURS, "torch.compile"]


def test_who_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Source(lambda: TorchNN, needs=("no_such_package",))
    monkeypatch.setitem(SOURCES, "Absent", absent)
    chosen = choose(["torch.nn", "Absent"])
    assert chosen.kinds == [TorchNN]
    assert "needs no_such_package" in chosen.left_out["Absent"]
    options = ["--cells", "RNN", "--peers", "torch.nn,Absent", "--threads", "1"]
    answer = CliRunner().invoke(main, [*QUICK, *options])
    advice = "needs no_such_package: pip install 'throughtime[bench]'"
    assert f"left out: Absent ({advice})" in answer.output


def test_torch_compile_takes_part_if_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Loading those that need more is not for this process.
    plain = {name: source for name, source in SOURCES.items() if not source.needs}
    monkeypatch.setattr("benchmarks.contestants.SOURCES", plain)
    assert choose(["torch.compile"]).left_out == {}
    assert list(choose(None).left_out) == ["torch.compile"]
    context = Context(main)
    assert read_peers(context, main.params[0], "all") == list(SOURCES)


def test_everybody_has_a_colour() -> None:
    assert list(COLOURS) == [OURS, *SOURCES]
    assert len(set(COLOURS.values())) == len(COLOURS)


def a_row(shape: Shape, peer: float) -> Row:
    timings = {OURS: Timing(1.0, None, 1), "peer": Timing(peer, None, 1)}
    return Row(
        "RNN", shape, "training", timings, dict.fromkeys(timings, 0.0), {}, 100.0
    )


def test_means_of_ratios_are_geometric() -> None:
    several, one = Shape(4, 2, 3, 5), Shape(4, 1, 3, 5)
    rows = [a_row(several, 2.0), a_row(several, 8.0), a_row(one, 0.5)]
    (found,) = summaries(rows)
    assert (found.peer, found.work, found.rows) == ("peer", "training", 3)
    assert found.mean_of_batches == pytest.approx(4)
    assert found.mean == pytest.approx(2)
    assert (found.worst, found.worst_at) == (0.5, "RNN, 4, 1, 3, 5")
    (found,) = summaries(rows[2:])
    assert found.mean_of_batches is None


class Slow(TorchPeer):
    """Its first call takes longer than a tiny budget."""

    name = "slow"
    cells = frozenset(GATES)
    started = 0

    def build(self, cell: str, shape: Shape, weights: object) -> torch.nn.Module:
        return layer_of(cell, shape)

    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        Slow.started += 1
        time.sleep(5)
        return super().run(work, x, error)


def test_who_compiles_too_long_is_left_out_and_not_asked_again() -> None:
    bench = a_bench(compile_budget=0.05)
    longer, shorter = Shape(9, 2, 3, 5), Shape(2, 2, 3, 5)
    found = measure_all(bench, [Slow], ["RNN"], [TINY, longer, shorter], ["inference"])
    for row in found:
        assert row.peers == []
    assert Slow.started == 2  # not for the longer one
    assert bench.too_slow == {("slow", "RNN", "inference"): 2}


def test_a_time_limit_ends_with_its_body() -> None:
    with pytest.raises(TimeIsUp), time_limit(0.02):
        time.sleep(5)
    with time_limit(0.05):
        pass
    time.sleep(0.1)


class Wrong(Slow):
    """Gives the gradients of another layer, or none of the inputs."""

    name = "wrong"

    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        right = TorchPeer.run(self, work, x, error)
        return Run(right.once, lambda found: [2 * one for one in right.tensors(found)])


def test_a_peer_with_other_gradients_is_not_timed() -> None:
    found = measure_all(a_bench(), [Wrong], ["RNN"], [TINY], ["training"])
    with pytest.raises(ArithmeticError, match="throughtime and wrong differ"):
        list(found)


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


@pytest.mark.slow
def test_calls_of_all_kinds_are_measured_beside_torch() -> None:
    command = [sys.executable, "-m", "benchmarks.calls", "--json", "--seconds", "0.1"]
    answer = subprocess.run(
        [*command, "--cells", "RNN,PeepholeLSTM", "--size", "5"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(answer.stdout)["microseconds"]
    assert found.keys() == {"RNN", "PeepholeLSTM"}
    for kind, both in found["RNN"].items():
        assert both.keys() == {"throughtime", "torch.nn"}, kind
        assert min(both.values()) > 0
        assert found["PeepholeLSTM"][kind].keys() == {"throughtime"}


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
    # Each time some untimed: what the one before left running is over then.
    once = ["ours"] * 3 + ["theirs"] * 3
    assert order[-18:] == once * 3
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
    check_equal([right], "peer", [right + 1e-6])
    for theirs in (other, torch.ones(1, 3)):
        with pytest.raises(ArithmeticError, match="throughtime and peer differ"):
            check_equal([right], "peer", [theirs])


def test_the_peak_is_that_of_a_processor() -> None:
    # Two units of 16 lanes at 6 GHz: a loop that was optimised away would be above.
    assert 0 < peak_gflops(1, iterations=200_000, samples=2) < 2 * 2 * 16 * 6
