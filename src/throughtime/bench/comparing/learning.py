"""One model's part in the comparison: so much time, and what came of it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from throughtime.bench.comparing.examples import answered
from throughtime.bench.comparing.scoring import score
from throughtime.data import Dataset, Split
from throughtime.data.trivial.counted import Floats
from throughtime.train.asking.settings import Settings
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
    """A baseline with one of its choices: what it says of a part, and its size."""

    outputs: Callable[[Split], Sequence[Floats]]
    parameters: int


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
        Says what is chosen, with `{}` for the candidate.
    """

    learn: Callable[[Dataset, Any, float, int], Fitted]
    candidates: Callable[[Dataset], Sequence[Any]]
    word: str = ""


def learn_baseline(
    baseline: Baseline, dataset: Dataset, seconds: float, seed: int
) -> Learned:
    """Try one candidate after the other, and keep the best on validation data.

    Each has an equal share of the time that is left. When it is used up no other is
    tried.
    """
    start = time.perf_counter()
    candidates = baseline.candidates(dataset)
    best: tuple[float, Any, Fitted] | None = None
    tried = 0
    for place, candidate in enumerate(candidates):
        left = start + seconds - time.perf_counter()
        if best is not None and left <= 0:
            break
        share = max(left, 0.001) / (len(candidates) - place)
        fitted = baseline.learn(dataset, candidate, share, seed)
        loss = _loss(dataset, fitted) if len(candidates) > 1 else math.inf
        if best is None or loss < best[0]:
            best = loss, candidate, fitted
        tried += 1
    assert best is not None, "a baseline has one candidate at least"
    _, chosen, fitted = best
    said = [baseline.word.format(chosen)] if baseline.word else []
    if tried < len(candidates):
        said.append(f"time was up after {tried} of {len(candidates)} choices")

    def answers(split: Split) -> Predicted:
        return answered(dataset, split, fitted.outputs(split))

    seconds, cut = time.perf_counter() - start, tried < len(candidates)
    return Learned(answers, fitted.parameters, seconds, ", ".join(said), cut)


def _loss(dataset: Dataset, fitted: Fitted) -> float:
    outputs = fitted.outputs("validation")
    return score(dataset, answered(dataset, "validation", outputs)).loss
