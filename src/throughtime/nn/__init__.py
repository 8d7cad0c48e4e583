"""The torch modules: recurrent layers of any cell, for `torch.nn` people.

In reading order: ``settings`` (what a module may be built with), ``initialisation``
(how parameters start), ``choice`` (which backend serves and why), ``execution`` (the
one way a layer runs), ``layers`` (parameters, and rows through all layers),
``packing`` (lengths as a permutation of rows), ``sequences`` (what people give, as
rows), ``states`` (what is carried, as named tuples), ``recurrent`` (`Recurrent`),
``compatibility`` and ``compatible_cells`` (`torch.nn`'s own classes), ``conversion``
(`convert`), ``heads`` (outputs and their losses).

May import: ``cells``, ``backends``, ``math``, ``graph``, ``errors`` and torch.
Next: ``train``, which teaches these modules.
"""

from throughtime.nn.compatibility import GRU, LSTM, RNN
from throughtime.nn.compatible_cells import GRUCell, LSTMCell, RNNCell
from throughtime.nn.conversion import convert
from throughtime.nn.heads import Linear, Sigmoid, Softmax, mean_loss, pool
from throughtime.nn.recurrent import Recurrent

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "RNNCell",
    "Recurrent",
    "Sigmoid",
    "Softmax",
    "convert",
    "mean_loss",
    "pool",
]
