"""BASELINES: what a recurrent network must beat, by the interface of `estimators`.

`NGram` and `HiddenMarkov` say the next symbol, `HiddenMarkovClassifier` and `Summary`
answer per sequence, `Persistence`, `SeasonalNaive`, `Autoregression`,
`HiddenMarkovForecaster` and `MarkovSwitching` forecast, `Marginal` and `KeyChain` say
the labels of the next step; `Window` is any of our estimators without a memory beyond k
steps. `counting` and `smoothing` are the n-grams, `emissions` the hidden Markov models.

May import `estimators` and the rooms below, and the packages of the extra `baselines`.

Next: `counting`, where a text becomes tables.
"""

from throughtime.baselines.autoregression import Autoregression
from throughtime.baselines.hidden_markov import HiddenMarkov, HiddenMarkovClassifier
from throughtime.baselines.hidden_markov_series import HiddenMarkovForecaster
from throughtime.baselines.labels import KeyChain, Marginal
from throughtime.baselines.naive import Persistence, SeasonalNaive
from throughtime.baselines.ngram import NGram
from throughtime.baselines.summary import Summary
from throughtime.baselines.switching import MarkovSwitching
from throughtime.baselines.window import LastSteps, Window

__all__ = [
    "Autoregression",
    "HiddenMarkov",
    "HiddenMarkovClassifier",
    "HiddenMarkovForecaster",
    "KeyChain",
    "LastSteps",
    "Marginal",
    "MarkovSwitching",
    "NGram",
    "Persistence",
    "SeasonalNaive",
    "Summary",
    "Window",
]
