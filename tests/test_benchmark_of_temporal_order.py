"""How ways to train are compared: which step width is the best, and what is shown."""

import io
import math

from rich.console import Console

from benchmarks.temporal_order import CHOOSING, WAYS, Trial, _row, compare, rank, table
from throughtime.bench.temporal_order import Outcome


def test_solved_is_better_than_a_small_loss_and_no_number_is_worst() -> None:
    outcomes = [
        Outcome(0.005, 900, 1.0, 0.4, 3104),
        Outcome(0.30, 1000, 1.0, 0.2, 3104),
        Outcome(0.20, 1000, 1.0, 0.3, 3104),
        Outcome(0.75, 10, 1.0, math.nan, 3104),
    ]
    mixed = [outcomes[place] for place in (3, 1, 0, 2)]
    assert sorted(mixed, key=rank) == outcomes


def test_a_line_says_how_often_a_way_solved_it() -> None:
    trial = Trial("SGD, clipped", 0.001, CHOOSING, 1000)
    outcomes = [
        Outcome(0.002, 250, 3.4, 0.1, 3104),
        Outcome(0.5, 1000, 12.0, 0.9, 3104),
    ]
    console = Console(width=120, file=io.StringIO())
    with console.capture() as capture:
        console.print(table([_row(trial, outcomes)]))
    (line,) = [x for x in capture.get().splitlines() if "clipped" in x]
    for text in ("0.001", "1 of 2", "0.2% to 50.0%", "250 to 1,000", "3 to 12"):
        assert text in line


def test_all_ways_are_tried_with_seeds_that_chose_nothing() -> None:
    rows = compare(seeds=1, updates=3, processes=1)
    assert [row["way"] for row in rows] == list(WAYS)
    assert [row["updates"] for row in rows] == [[3]] * len(WAYS)
    assert {row["seeds"] for row in rows} == {1}
