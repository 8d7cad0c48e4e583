"""One model's part in the comparison: so much time, and what came of it."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, NamedTuple

from throughtime.bench.comparing.examples import answered
from throughtime.bench.comparing.scoring import score
from throughtime.data import Dataset, Split
from throughtime.data.trivial.counted import Floats
from throughtime.errors import ThroughtimeError
from throughtime.train.asking.settings import Settings
from throughtime.train.interruption import Interruption
from throughtime.train.measuring import Predicted
from throughtime.train.model import Model


@dataclass(frozen=True)
class Learned:
    """A model that has learned.

    Parameters
    ----------
    answers
        Gives what it says of a part, beside the truth.
    parameters
        How many numbers it has learned.
    seconds
        How long that took, with all choices on validation data.
    note
        What was chosen, and whether its time was up before all was tried.
    time_up
        Whether it might have learned more in more time.
    network
        The model and its settings, where it is a network of `throughtime.train`.
    """

    answers: Callable[[Split], Predicted]
    parameters: int
    seconds: float
    note: str = ""
    time_up: bool = False
    network: tuple[Model, Settings] | None = None


class Fitted(NamedTuple):
    """A baseline with one of its choices: what it says of a part, and its size.

    `chosen` is what it has chosen itself on validation data, if it does.
    """

    outputs: Callable[[Split], Sequence[Floats]]
    parameters: int
    chosen: Any = None


def always(*candidates: Any) -> Callable[[Dataset], Sequence[Any]]:
    """Offer the same candidates for all data."""

    def offer(_: Dataset) -> Sequence[Any]:
        return candidates

    return offer


class Baseline(NamedTuple):
    """A model without recurrent network.

    Parameters
    ----------
    learn
        Learns from the training part of a data set with one of the candidates, in so
        many seconds if it can be cut short, drawing what is random from a seed.
    candidates
        What validation chooses among, in the order in which it is tried; a single
        one where there is nothing to choose.
    word
        Says what is chosen, with `{}` for the candidate, and `{s}` for the s of more
        than one.
    packages
        What is imported before the time begins.
    """

    learn: Callable[[Dataset, Any, float, int], Fitted]
    candidates: Callable[[Dataset], Sequence[Any]]
    word: str = ""
    packages: tuple[str, ...] = ()

    def said(self, candidate: Any) -> str:
        """Say what was chosen."""
        return self.word.format(candidate, s="" if candidate == 1 else "s")


# One model may fail where the others can be measured. Libraries refuse data in words
# of their own, by `ValueError`; torch says by `RuntimeError` that memory is short or a
# matrix cannot be solved.
FAILURES: Final = (
    ThroughtimeError,
    ValueError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
)
"""What makes a model a row that says why it was not measured."""


def learn_baseline(
    baseline: Baseline,
    dataset: Dataset,
    seconds: float,
    seed: int,
    interruption: Interruption | None = None,
) -> Learned:
    """Try one candidate after the other, and keep the best on validation data.

    Each has an equal share of the time that is left. When it is used up, or less of it
    is left than half of what the last one took, or a Ctrl-C has come, no other is
    tried. One that fails is left out, unless all do.
    """
    for package in baseline.packages:
        with suppress(ImportError):  # who needs it says so
            import_module(package)
    start = time.perf_counter()
    candidates = baseline.candidates(dataset)
    best: tuple[float, Any, Fitted] | None = None
    tried, failure, asked = 0, None, interruption or Interruption()
    began, took = start, 0.0
    for place, candidate in enumerate(candidates):
        now = time.perf_counter()
        began, took = now, now - began
        left = start + seconds - now
        if tried and (left <= took / 2 or asked.wanted):
            break
        tried += 1
        share = max(left, 0.001) / (len(candidates) - place)
        try:
            fitted = baseline.learn(dataset, candidate, share, seed)
            loss = _loss(dataset, fitted) if len(candidates) > 1 else math.inf
        except FAILURES as error:
            failure = failure or error
            continue
        if best is None or loss < best[0]:
            best = loss, candidate, fitted
    if best is None:
        assert failure is not None, "a baseline has one candidate at least"
        raise failure
    _, candidate, fitted = best
    chosen = candidate if fitted.chosen is None else fitted.chosen
    said = [baseline.said(chosen)] if baseline.word else []
    cut = tried < len(candidates)
    if cut:
        why = "interrupted" if asked.wanted else "time was up"
        said.append(f"{why} after {tried} of {len(candidates)} choices")

    def answers(split: Split) -> Predicted:
        return answered(dataset, split, fitted.outputs(split))

    took = time.perf_counter() - start
    return Learned(answers, fitted.parameters, took, ", ".join(said), cut)


def _loss(dataset: Dataset, fitted: Fitted) -> float:
    """Return the loss on validation data; one that is no number is the worst."""
    outputs = fitted.outputs("validation")
    loss = score(dataset, answered(dataset, "validation", outputs)).loss
    return loss if math.isfinite(loss) else math.inf
