"""Which steps are learned from, and which are kept apart."""

from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from throughtime.data.pieces import whole
from throughtime.data.types import IntegerArray, Split
from throughtime.errors import OneSequencePerClass

#: The parts, in the order in which they follow in time.
PARTS: Final[tuple[Split, ...]] = ("train", "validation", "test")

#: One of so many is in validation, and one in test.
SHARE: Final = 10

#: So many steps before the counted ones are read, that the state may know the past.
CONTEXT: Final = 1000


def by_sequence(
    lengths: IntegerArray, strata: npt.NDArray[Any] | None, seed: int
) -> dict[Split, IntegerArray]:
    """Draw whole sequences: 80 % training, 10 % validation, 10 % test.

    Parameters
    ----------
    lengths
        `(N,)`, N at least 3.
    strata
        `(N,)`, the class of each sequence: each class is shared out so; or None.
    seed
        Of the draw.

    Raises
    ------
    OneSequencePerClass
        Nothing can be kept apart without taking a class from training.
    """
    drawn = np.random.default_rng(seed).permutation(len(lengths))
    rest, test = hold_out(drawn, strata, Fraction(1, SHARE))
    train, validation = hold_out(rest, strata, Fraction(1, SHARE - 1))
    return _parts(lengths, train, validation, test)


def as_given(
    lengths: IntegerArray,
    parts: IntegerArray,
    strata: npt.NDArray[Any] | None,
    seed: int,
) -> dict[Split, IntegerArray]:
    """Split as was said; validation is drawn from training where it was not.

    Parameters
    ----------
    lengths
        `(N,)`.
    parts
        `(N,)`, the place of each sequence's part in `PARTS`.
    strata, seed
        As in `by_sequence`.

    Raises
    ------
    OneSequencePerClass
        As in `by_sequence`.
    """
    train, validation, test = (np.flatnonzero(parts == place) for place in range(3))
    if not len(validation):
        drawn = np.random.default_rng(seed).permutation(train)
        train, validation = hold_out(drawn, strata, Fraction(1, SHARE))
    return _parts(lengths, train, validation, test)


def by_time(lengths: IntegerArray, *, ahead: bool = False) -> dict[Split, IntegerArray]:
    """Cut every sequence: the last 10 % are test, the 10 % before them validation.

    A sequence of less than 10 steps is training as a whole. The parts that are kept
    apart read some steps before their first, which do not count.

    Parameters
    ----------
    lengths
        `(N,)`.
    ahead
        Whether answers are about what comes after their step: then the one just before
        a part counts, too, or nothing would be said of its first step.
    """
    parts: dict[Split, list[tuple[int, int, int, int]]] = {part: [] for part in PARTS}
    for sequence, length in enumerate(lengths.tolist()):
        kept = length // SHARE
        edges = (0, length - 2 * kept, length - kept, length)
        parts["train"].append((sequence, 0, edges[1], 0))
        context = max(CONTEXT, kept)
        for place in (1, 2) if kept else ():
            first, stop = edges[place], edges[place + 1]
            piece = (sequence, max(0, first - context), stop, first - ahead)
            parts[PARTS[place]].append(piece)
    return {part: np.array(parts[part], np.int64).reshape(-1, 4) for part in PARTS}


def _parts(lengths: IntegerArray, *parts: IntegerArray) -> dict[Split, IntegerArray]:
    return {
        name: whole(np.sort(part), lengths)
        for name, part in zip(PARTS, parts, strict=True)
    }


def hold_out(
    drawn: IntegerArray, strata: npt.NDArray[Any] | None, share: Fraction
) -> tuple[IntegerArray, IntegerArray]:
    """Take a share, below 1, of each class; each keeps one sequence at least.

    What is left over of a class counts for the next one, so that the whole has its
    share, too.

    Parameters
    ----------
    drawn
        `(n,)`, the places of sequences in an order that was drawn.
    strata
        The class of each place; None: they are all of one.
    share
        How much of them.

    Returns
    -------
    kept, apart : numpy.ndarray
        The others, and those that were taken.

    Raises
    ------
    OneSequencePerClass
        Nothing can be taken without taking a class away.
    """
    classes = np.zeros(len(drawn)) if strata is None else strata[drawn]
    groups = [drawn[classes == value] for value in np.unique(classes)]
    due, taken = Fraction(0), list[int]()
    for group in groups:
        due += len(group) * share
        count = min(int(due), len(group) - 1)
        due -= count
        taken.append(count)
    if not any(taken):
        largest = int(np.argmax([len(group) for group in groups]))
        if len(groups[largest]) < 2:
            raise OneSequencePerClass(classes=len(groups))
        taken[largest] = 1
    kept = [group[count:] for group, count in zip(groups, taken, strict=True)]
    apart = [group[:count] for group, count in zip(groups, taken, strict=True)]
    return np.concatenate(kept), np.concatenate(apart)
