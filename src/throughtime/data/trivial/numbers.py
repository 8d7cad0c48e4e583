"""Real numbers: their mean, ridge per sequence, and what was a step, or s, before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from throughtime.data.datasets import SequenceDataset
from throughtime.data.schema import Column
from throughtime.data.trivial.counted import (
    FITTED,
    TEST,
    Floats,
    Summaries,
    asked_next,
    known_mean,
    steps,
)
from throughtime.data.trivial.ridge import methods, ridge
from throughtime.data.types import IntegerArray

# A value may be missing for some steps: so far back a known one is looked for.
_MEMORY = 100

#: The method that knows what no network is told: the truth one step before.
LAST_TRUE: Final = "last true value"


def numbers(dataset: SequenceDataset) -> dict[str, float]:
    """Return root-mean-square errors over all targets."""
    if dataset.question.per == "step":
        return _root_mean_square(_errors_per_step(dataset))
    fitted, test = Summaries(dataset, FITTED), Summaries(dataset, TEST)
    method = methods(fitted)[-1]
    answered = {
        "mean": known_mean(fitted.targets),
        method: ridge(fitted, test, method, fitted.targets),
    }
    return _root_mean_square(
        [{name: answer - test.targets for name, answer in answered.items()}]
    )


def forecasts(dataset: SequenceDataset, season: int | None = None) -> dict[str, float]:
    """Return root-mean-square errors over all columns and steps ahead.

    Missing values are filled forward; where the truth is missing, or nothing came
    before, nothing is counted.
    """
    return _root_mean_square(_errors_of_forecasts(dataset, season))


def naive_error(dataset: SequenceDataset) -> Floats:
    """Return what the mean absolute scaled error is scaled by.

    Parameters
    ----------
    dataset
        Its question asks for a forecast.

    Returns
    -------
    numpy.ndarray
        `(C,)`, for each column that is forecast the mean absolute error, within the
        training part, of the value s steps before, s being `difference` or at least 1
        (Hyndman and Koehler, International Journal of Forecasting 22, 2006). NaN where
        no two such steps are known.
    """
    season = max(1, dataset.question.difference)
    columns = asked_next(dataset.schema, "number")
    total, count = np.zeros((2, len(columns)))
    for rows, first, stop in steps(dataset, columns, ["train"], before=season):
        begin = max(first, season)
        changes = np.abs(rows[begin:stop] - rows[begin - season : stop - season])
        total += np.nansum(changes, axis=0)
        count += (~np.isnan(changes)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return total / count


def _errors_per_step(dataset: SequenceDataset) -> Iterator[dict[str, Floats]]:
    columns = dataset.schema.targets
    mean = _mean(dataset, columns)
    for rows, first, stop in steps(dataset, columns, TEST, before=_MEMORY):
        truth, filled = rows[first:stop], filled_forward(rows, mean)
        yield {"mean": mean - truth, LAST_TRUE: filled[first:stop] - truth}


def _errors_of_forecasts(
    dataset: SequenceDataset, season: int | None
) -> Iterator[dict[str, Floats]]:
    question, columns = dataset.question, asked_next(dataset.schema, "number")
    apart, horizon = question.difference, question.horizon
    # Where changes are forecast, levels of training say nothing of those to come.
    mean = _mean(dataset, columns) if apart == 0 else None
    before = _MEMORY + 2 * max(apart, season or 0) + horizon
    nothing = np.full(len(columns), np.nan)
    for rows, first, stop in steps(
        dataset, columns, TEST, before=before, after=horizon
    ):
        filled = filled_forward(rows, nothing)
        for ahead in range(1, horizon + 1):
            truth = rows[first + ahead : stop + ahead]
            now = np.arange(first, first + len(truth))
            errors = {} if mean is None else {"mean": mean - truth}
            last = _known_at(filled, now)
            errors["persistence"] = last - truth
            if apart > 1:
                past = now + ahead - _back(apart, ahead)
                errors["seasonal naive"] = _known_at(filled, past) - truth
            if season is not None:
                past = now - _back(season, ahead)
                change = _known_at(filled, past + ahead) - _known_at(filled, past)
                errors["seasonal difference"] = last + change - truth
            yield errors


def _back(season: int, ahead: int) -> int:
    """Return the fewest whole seasons, in steps, that lead into what is known."""
    return season * -(-ahead // season)


def _known_at(filled: Floats, places: IntegerArray) -> Floats:
    """Return what was known at these steps; NaN before the first."""
    # What is filled at t + 1 was known at t.
    return filled[np.maximum(places + 1, 0)]


def _mean(dataset: SequenceDataset, columns: Sequence[Column]) -> Floats:
    total, count = np.zeros((2, len(columns)))
    for rows, first, stop in steps(dataset, columns, FITTED):
        total += np.nansum(rows[first:stop], axis=0)
        count += (~np.isnan(rows[first:stop])).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return total / count


def filled_forward(rows: Floats, start: Floats) -> Floats:
    """Return the last known values `(T + 1, C)` before each step, and after all.

    Parameters
    ----------
    rows
        `(T, C)`; NaN: nobody knows.
    start
        `(C,)`, what is known before the first step.
    """
    padded = np.concatenate([start[None], rows])
    places = np.where(np.isnan(padded), 0, np.arange(len(padded))[:, None])
    latest = np.maximum.accumulate(places, axis=0)
    return np.take_along_axis(padded, latest, axis=0)


def _root_mean_square(errors: Iterable[Mapping[str, Floats]]) -> dict[str, float]:
    """Of errors in pieces; NaN is one that nobody knows."""
    total: dict[str, float] = {}
    count: dict[str, int] = {}
    for piece in errors:
        for method, values in piece.items():
            known = values[~np.isnan(values)]
            total[method] = total.get(method, 0.0) + float((known**2).sum())
            count[method] = count.get(method, 0) + known.size
    return {
        method: (total[method] / count[method]) ** 0.5
        for method in total
        if count[method]
    }
