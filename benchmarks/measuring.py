"""Times that can be compared: taken in turn, as medians, with their noise."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# A sample repeats short work until it lasts so long, so that the clock's own
# resolution and the switch between contestants weigh nothing.
SHORTEST_SAMPLE = 0.005
# Seconds that a contestant runs before each sample: its threads are asleep, the caches
# hold the numbers of the contestant before, and a virtual machine that was quiet may
# first put all threads on one processor, for some tens of milliseconds.
REHEARSAL = 0.05
# Seconds; and so many naps, until the threads of others are taken as they are.
NAP = 0.004
LONGEST_REST = 50


@dataclass(frozen=True)
class Timing:
    """Seconds of one run: the median of samples, and between which half of them lies.

    ``noise`` is the interquartile range as a part of the median; None: of one sample
    nobody knows it.
    """

    seconds: float
    noise: float | None
    samples: int


def measure_in_turn(
    contestants: Mapping[str, Callable[[], object]],
    seconds: float,
    rounds: int,
) -> dict[str, Timing]:
    """Run contestants one after the other, again and again.

    What disturbs the machine for a while then disturbs all of them.

    Parameters
    ----------
    contestants
        What to run, by name.
    seconds
        How long to go on, all of them together, rests and rehearsals included.
    rounds
        At least so many samples of each, however long they take.
    """
    repeats: dict[str, int] = {}
    rehearsals: dict[str, int] = {}
    for name, run in contestants.items():
        run()  # compiles, allocates, fills caches
        once = max(sample(run, 1), 1e-9)
        repeats[name] = max(1, round(SHORTEST_SAMPLE / once))
        # Work that lasts longer is its own rehearsal.
        rehearsals[name] = round(REHEARSAL / once)
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    start, done = time.perf_counter(), 0
    while done < rounds or time.perf_counter() - start < seconds:
        for name, run in contestants.items():
            rest()
            for _ in range(rehearsals[name]):
                run()
            samples[name].append(sample(run, repeats[name]))
        done += 1
    return {name: timing(taken) for name, taken in samples.items()}


def rest() -> None:
    """Wait until the threads of whoever ran before have fallen asleep.

    Pools of threads look out for more work for a while, and take the processors from
    the next contestant.
    """
    for _ in range(LONGEST_REST):
        before = time.process_time()
        time.sleep(NAP)
        if time.process_time() - before < NAP / 4:
            return


def sample(run: Callable[[], object], repeats: int) -> float:
    """Give the seconds of one run, out of several in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def timing(samples: list[float]) -> Timing:
    """Give median and interquartile range."""
    median = statistics.median(samples)
    if len(samples) < 2:
        return Timing(median, None, len(samples))
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(median, (high - low) / median, len(samples))
