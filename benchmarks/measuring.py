"""Times that can be compared: taken in turn, as medians, with their noise."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# A sample repeats short work until it lasts so long, so that the clock's own
# resolution and the switch between contestants weigh nothing.
SHORTEST_SAMPLE = 0.005
# Work up to so long runs once before each sample: the threads of the contestant before
# spin on for a while, its own sleep, and the caches hold the other's numbers.
LONGEST_REHEARSAL = 0.1


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
        How long to go on, all of them together.
    rounds
        At least so many samples of each, however long they take.
    """
    repeats: dict[str, int] = {}
    rehearsed: set[str] = set()
    for name, run in contestants.items():
        run()  # compiles, allocates, fills caches
        once = max(sample(run, 1), 1e-9)
        repeats[name] = max(1, round(SHORTEST_SAMPLE / once))
        if once <= LONGEST_REHEARSAL:
            rehearsed.add(name)
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    end, done = time.perf_counter() + seconds, 0
    while done < rounds or time.perf_counter() < end:
        for name, run in contestants.items():
            if name in rehearsed:
                run()
            samples[name].append(sample(run, repeats[name]))
        done += 1
    return {name: timing(taken) for name, taken in samples.items()}


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
