"""Forecasts that learn nothing."""

from collections.abc import Sequence

import numpy as np

from throughtime.baselines.counting import Floats
from throughtime.baselines.series import SeriesForecaster
from throughtime.train.asking.settings import check_count


class Persistence(SeriesForecaster):
    """Every value stays what it was last.

    Parameters
    ----------
    horizon
        H, the steps ahead.
    missing
        `"error"` refuses NaN in X; `"forward"` takes the last value before it.

    Attributes
    ----------
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def __init__(self, horizon: int = 1, *, missing: str = "error") -> None:
        self.horizon = horizon
        self.missing = missing

    def _season(self) -> int:
        return 1

    def _coming(self, changes: Floats) -> Floats:
        return np.zeros((len(changes), self.horizon, changes.shape[1]))


class SeasonalNaive(Persistence):
    """Every value is what it was whole seasons before, as few as are known.

    In the first season, where nothing is known a season before, it is the last value.

    Parameters
    ----------
    season
        The steps after which things come again.
    horizon, missing
        As in `Persistence`.

    Attributes
    ----------
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def __init__(
        self, season: int, horizon: int = 1, *, missing: str = "error"
    ) -> None:
        super().__init__(horizon, missing=missing)
        self.season = season

    def _season(self) -> int:
        return self.season

    def _learn_from(self, series: Sequence[Floats]) -> None:
        check_count("season", self.season, 1)
