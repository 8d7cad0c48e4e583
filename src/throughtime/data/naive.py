"""What is known of the next step without any network.

Like the other trivial methods these are fitted on training and validation data
together and measured on the test part.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from throughtime.data.datasets import SequenceDataset
from throughtime.data.pieces import FIRST, START
from throughtime.data.types import Split

_Numbers = npt.NDArray[np.float64]


def label_baselines(dataset: SequenceDataset) -> dict[str, float]:
    """Return what guessing each label of the next step by itself costs.

    Parameters
    ----------
    dataset
        Boolean features, F of them; the labels of the next step are asked for.

    Returns
    -------
    dict
        Nats per step, summed over the labels: of each label's share of the steps, and
        of a first-order Markov chain for each label. One is added to every count. The
        first step of a piece is not predicted, and not counted; nor is a label whose
        truth is missing.
    """
    before, after = _pairs(dataset, "train", "validation")
    last, now = _pairs(dataset, "test")
    stays, starts = _share(after, before == 1), _share(after, before != 1)
    return {
        "marginal": _nats(_share(after, np.True_), now),
        "first-order chain": _nats(np.where(last == 1, stays, starts), now),
    }


def forecast_baselines(
    dataset: SequenceDataset, season: int | None = None
) -> dict[str, float]:
    """Return how far the simplest forecasts are from the truth.

    Parameters
    ----------
    dataset
        Real-valued features, of which the next H steps are asked for.
    season
        The steps after which things come again; None: they do not.

    Returns
    -------
    dict
        Root mean square error, over all features and steps ahead, of the last value and
        of the last value plus the change at this point of the season before. They are
        made from values filled forward; where the truth is missing, or nothing came
        before, nothing is counted.
    """
    errors = {"persistence": _errors(dataset, None)}
    if season is not None:
        errors["seasonal difference"] = _errors(dataset, season)
    return {
        name: float(np.sqrt(np.nanmean(np.concatenate(found) ** 2)))
        for name, found in errors.items()
    }


def _errors(dataset: SequenceDataset, season: int | None) -> list[_Numbers]:
    found: list[_Numbers] = []
    for frame, first in _pieces(dataset, "test"):
        filled = _filled_forward(frame)
        for ahead in range(1, dataset.question.horizon + 1):
            now = np.arange(first, len(frame) - ahead)
            forecast = filled[now]
            if season is not None:
                back = season * -(-ahead // season)
                now, forecast = now[now >= back], forecast[now >= back]
                forecast = forecast + filled[now + ahead - back] - filled[now - back]
            found.append((frame[now + ahead] - forecast).ravel())
    return found


def _filled_forward(frame: _Numbers) -> _Numbers:
    """Put the last known value of its column in the place of each NaN `(T, F)`."""
    steps = np.where(np.isnan(frame), 0, np.arange(len(frame))[:, None])
    return np.take_along_axis(frame, np.maximum.accumulate(steps), axis=0)


def _pieces(dataset: SequenceDataset, *parts: Split) -> Iterator[tuple[_Numbers, int]]:
    """Give the features `(T, F)` of each piece, and where its answers begin."""
    for part in parts:
        pieces = dataset.splits[part].tolist()
        for frame, piece in zip(dataset.part(part), pieces, strict=True):
            yield frame.astype(np.float64), piece[FIRST] - piece[START]


def _pairs(dataset: SequenceDataset, *parts: Split) -> tuple[_Numbers, _Numbers]:
    """Return each step of some parts that has a next one, and the next one."""
    pieces = list(_pieces(dataset, *parts))
    before = np.concatenate([frame[first:-1] for frame, first in pieces])
    after = np.concatenate([frame[first + 1 :] for frame, first in pieces])
    return before, after


def _share(truth: _Numbers, where: npt.NDArray[np.bool_] | np.bool_) -> _Numbers:
    """Return how often each label is 1 among some steps, one added to each count."""
    known = where & ~np.isnan(truth)
    return ((known & (truth == 1)).sum(axis=0) + 1) / (known.sum(axis=0) + 2)


def _nats(probability: _Numbers, truth: _Numbers) -> float:
    right = np.where(truth == 1, probability, 1 - probability)
    right = np.where(np.isnan(truth), 1.0, right)
    return float(-np.log(right).sum(axis=1).mean())
