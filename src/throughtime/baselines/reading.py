"""What estimators of sequences of numbers have in common: how X is read."""

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator

from throughtime.estimators.sequences import Array, read_first, read_more


class Reader(BaseEstimator):
    """Reads X as `throughtime.estimators` do.

    Attributes
    ----------
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def _read_first(self, X: Any, *, gaps: bool = False) -> Sequence[Array]:
        """Read what is learned from."""
        found = read_first(self, X, gaps=gaps)
        self._width, self._of_rows = found.width, found.rows
        return found.arrays

    def _read_more(self, X: Any, *, gaps: bool = False) -> Sequence[Array]:
        """Read sequences like those."""
        rows, width = self._of_rows, self._width
        found = read_more(self, X, gaps=gaps, width=width, rows=rows)
        return found.arrays

    def __sklearn_tags__(self) -> Any:
        above: Any = super()
        tags = above.__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
