"""The torch modules: recurrent layers of any cell, for `torch.nn` people.

In reading order: ``settings`` (what a module may be built with), ``initialisation``,
``choice`` (which backend serves and why), ``execution`` (the one way a layer runs),
``operators``, ``calls`` and ``engine`` (compiled code as torch operators, with
``door``, ``extents``, ``operands``, ``half``, ``pool`` and ``scratch``), ``segments``
and ``checkpointing`` (states stored now and then, the rest computed again), ``layers``
(parameters, and rows through all layers),
``packing`` (lengths as a permutation of rows),
``sequences`` (what people give, as rows), ``states`` (named tuples), ``recurrent``,
``compatibility`` and ``compatible_cells`` (`torch.nn`'s own classes), ``conversion``,
``heads`` (outputs and losses), ``explain`` and ``node_deltas`` (what a module does).

May import: ``cells``, ``backends``, ``math``, ``graph``, ``errors`` and torch.
Next: ``train``, which teaches these modules.
"""

from throughtime.nn.compatibility import GRU, LSTM, RNN
from throughtime.nn.compatible_cells import GRUCell, LSTMCell, RNNCell
from throughtime.nn.conversion import convert
from throughtime.nn.explain import explain
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
    "explain",
    "mean_loss",
    "pool",
]
