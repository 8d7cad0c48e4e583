"""What is known of a sequence without the order of its steps."""

from typing import Any, Self

import numpy as np
from sklearn import utils
from sklearn.base import BaseEstimator, clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from throughtime.baselines.counting import Floats
from throughtime.baselines.reading import Reader
from throughtime.data.trivial.counted import known_mean
from throughtime.errors import TargetNeeded
from throughtime.estimators.sequences import Array
from throughtime.train.asking.settings import check_choice

# Type checkers bring stubs of an older scikit-learn, which do not know tags.
_utils: Any = utils


def _has(method: str) -> Any:
    def has(self: "Summary") -> bool:
        inner = getattr(self, "estimator_", self.estimator)
        return hasattr(inner, method)

    return available_if(has)


class Summary(Reader):
    """One answer per sequence from each feature's mean and deviation over the steps.

    It is blind to the order of steps: what a recurrent network gains over it may be
    order, what it does not gain is none. A step that is missing is left out; what is
    missing in all steps of a sequence has the mean of training.

    Parameters
    ----------
    estimator
        What learns from the ``(N, 2 F)`` summaries, scaled to vary by one: any
        estimator of scikit-learn, such as ``LogisticRegression()``. None: ridge
        regression where y are floating-point numbers, else a ridge classifier.
    deviation
        Whether the deviation is told, beside the mean.
    missing
        `"error"` refuses NaN in X; `"mean"` goes by the steps that are there.

    Attributes
    ----------
    estimator_ : Pipeline
        What was fitted.
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        deviation: bool = True,
        missing: str = "error",
    ) -> None:
        self.estimator = estimator
        self.deviation = deviation
        self.missing = missing

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from sequences and their answers.

        Parameters
        ----------
        X
            As in `throughtime.estimators.SequenceClassifier`.
        y
            ``(N,)`` or ``(N, K)``: classes, labels or numbers.
        """
        check_choice("missing", self.missing, ("error", "mean"))
        if y is None:
            raise TargetNeeded(estimator=type(self).__name__)
        sequences = self._read_first(X, gaps=self.missing != "error")
        inner = self.estimator
        if inner is None:
            real = np.asarray(y).dtype.kind == "f"
            inner = Ridge() if real else RidgeClassifier()
        filling = SimpleImputer(keep_empty_features=True)
        made = make_pipeline(filling, StandardScaler(), clone(inner))
        self.estimator_ = made.fit(self._told(sequences), y)
        return self

    def predict(self, X: Any) -> Array:
        """Give the answers, as the estimator gives them."""
        return self._fitted().predict(self._summaries(X))

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> Array:
        """Give the probability of each class, where the estimator does."""
        return self._fitted().predict_proba(self._summaries(X))

    @_has("decision_function")
    def decision_function(self, X: Any) -> Array:
        """Give how far each class is ahead, where the estimator does."""
        return self._fitted().decision_function(self._summaries(X))

    def score(self, X: Any, y: Any) -> float:
        """Give what the estimator says of its answers: accuracy, or R²."""
        return float(self._fitted().score(self._summaries(X), y))

    @property
    def classes_(self) -> Array:
        """`(K,)`, the classes in order, where there are some."""
        return self.estimator_.classes_

    def _fitted(self) -> Any:
        check_is_fitted(self, "estimator_")
        return self.estimator_

    def _summaries(self, X: Any) -> Floats:
        self._fitted()
        return self._told(self._read_more(X, gaps=self.missing != "error"))

    def _told(self, sequences: Any) -> Floats:
        """Return the summaries `(N, F)` or `(N, 2 F)`."""
        rows = [np.asarray(one, np.float64) for one in sequences]
        means = np.stack([known_mean(one) for one in rows])
        if not self.deviation:
            return means
        squares = [
            known_mean((one - mean) ** 2) for one, mean in zip(rows, means, strict=True)
        ]
        return np.hstack([means, np.sqrt(np.stack(squares))])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error"
        if self.estimator is not None:
            inner = _utils.get_tags(self.estimator)
            tags.estimator_type = inner.estimator_type
            tags.classifier_tags = inner.classifier_tags
            tags.regressor_tags = inner.regressor_tags
            tags.target_tags = inner.target_tags
        # Of the rows of a matrix it does not see which value stands where.
        for own in (tags.classifier_tags, tags.regressor_tags):
            if own is not None:
                own.poor_score = True
        tags.target_tags.required = True
        return tags
