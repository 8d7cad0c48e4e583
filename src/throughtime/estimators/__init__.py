"""SCIKIT-LEARN'S INTERFACE over `train`: what has `fit`, `predict` and `score`.

`SequenceClassifier` and `SequenceRegressor` answer once per sequence, `SequenceTagger`
at every step; `Forecaster` and `SymbolModel` go on with a sequence. `parameters` are
those of `throughtime.fit`; `sequences` reads X and `targets` y, `datasets` lays both
side by side; `base` trains through `fit`; `keeping` holds the run, so that an estimator
is saved, pickled and loaded without the source of its cell.

May import `train` and the rooms below, and scikit-learn.

Next: `train.fitting`, the training itself.
"""

from throughtime.estimators.classifier import SequenceClassifier
from throughtime.estimators.forecaster import Forecaster
from throughtime.estimators.regressor import SequenceRegressor
from throughtime.estimators.symbols import SymbolModel
from throughtime.estimators.tagger import SequenceTagger

__all__ = [
    "Forecaster",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "SymbolModel",
]
