"""A feedforward network on the last k steps: no memory beyond them."""

from typing import Any, Self

from sklearn import utils
from sklearn.base import BaseEstimator, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from throughtime.cells import Feedforward
from throughtime.errors import WindowOfLayers
from throughtime.estimators.base import SequenceEstimator
from throughtime.graph import Parameter, State, Value
from throughtime.math import concat
from throughtime.train.asking.settings import check_count

# Type checkers bring stubs of an older scikit-learn, which do not know tags.
_utils: Any = utils


class LastSteps(Feedforward):
    r"""A feedforward layer that sees the last k steps (Rumelhart et al. 1986).

    .. math:: v_t = l(W (x_t, x_{t-1}, \ldots, x_{t-k+1}) + b)

    Shapes: x ``(B, F)`` -> v ``(B, H)``. The states are copies of the last inputs, 0
    before the first step. ``steps`` is k; ``activation`` the function ``l``, as of
    `throughtime.cells.Feedforward`.
    """

    def __init__(self, steps: int, activation: str = "relu") -> None:
        check_count("steps", steps, 1)
        super().__init__(activation)
        self.steps = steps
        self.weight = Parameter("hidden", "steps*input")
        for back in range(1, steps):
            setattr(self, f"x{back}", State("input"))

    def step(self, x: Value, *past: Value) -> Any:
        v = super().step(concat(x, *past) if past else x)
        return (v, x, *past[:-1]) if past else v


def _as_estimator(method: str) -> Any:
    def has(self: "Window") -> bool:
        return hasattr(self.estimator, method)

    return available_if(has)


class Window(BaseEstimator):
    """An estimator of `throughtime.estimators` whose network sees the last k steps.

    The cell is replaced by `LastSteps`, a `Feedforward` of as many inputs; all other
    parameters stay, so that both are trained alike. Between it and the recurrent
    network lies what is remembered beyond k steps.

    Parameters
    ----------
    estimator
        A `SequenceClassifier`, `SequenceRegressor`, `SequenceTagger`, `Forecaster` or
        `SymbolModel`, of one layer in one direction; its cell is not looked at.
    steps
        k.
    activation
        Of the hidden layer: `"tanh"`, `"relu"`, `"sigmoid"` or `"identity"`.

    Attributes
    ----------
    estimator_ : SequenceEstimator
        What was fitted; `save` writes it as the folder of a run.
    """

    def __init__(
        self, estimator: SequenceEstimator, steps: int = 8, *, activation: str = "relu"
    ) -> None:
        self.estimator = estimator
        self.steps = steps
        self.activation = activation

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn as the estimator does.

        Parameters
        ----------
        X, y
            As in its `fit`.

        Raises
        ------
        WindowOfLayers
            With further layers or another direction it would see other steps, too.
        """
        for name, only in (("num_layers", 1), ("bidirectional", False)):
            given = getattr(self.estimator, name)
            if given != only:
                raise WindowOfLayers(argument=name, given=given, expected=only)
        cell = LastSteps(self.steps, self.activation)
        made: Any = clone(self.estimator).set_params(cell=cell)
        self.estimator_ = made.fit(X, y)
        return self

    @property
    def n_parameters_(self) -> int:
        """How many weights the network has."""
        model = self._fitted().model_
        return sum(one.numel() for one in model.parameters())

    @property
    def classes_(self) -> Any:
        """`(K,)`, the classes in order, where there are some."""
        return self.estimator_.classes_

    def predict(self, X: Any) -> Any:
        """Give the answers, as the estimator gives them."""
        return self._fitted().predict(X)

    @_as_estimator("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Give the probabilities, where the estimator does."""
        return self._fitted().predict_proba(X)

    @_as_estimator("bits_per_symbol")
    def bits_per_symbol(self, X: Any) -> float:
        """Give the bits per symbol, where the estimator does."""
        return self._fitted().bits_per_symbol(X)

    def score(self, X: Any, y: Any = None) -> float:
        """Give the score of the estimator."""
        inner = self._fitted()
        return float(inner.score(X) if y is None else inner.score(X, y))

    def _fitted(self) -> Any:
        check_is_fitted(self, "estimator_")
        return self.estimator_

    def __sklearn_tags__(self) -> Any:
        above: Any = super()
        tags, inner = above.__sklearn_tags__(), _utils.get_tags(self.estimator)
        for name in ("estimator_type", "classifier_tags", "regressor_tags"):
            setattr(tags, name, getattr(inner, name))
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        return tags
