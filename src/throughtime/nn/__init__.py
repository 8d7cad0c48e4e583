"""The torch modules: recurrent layers of any cell, for `torch.nn` people.

In reading order: ``settings``, ``initialisation``, ``choice`` (which backend serves),
``execution`` (the one way a layer runs); compiled code as torch operators:
``operators``, ``registered``, ``calls``, ``engine`` and what they use, ``segments``
(bounded memory), ``second`` and ``folding`` (derivatives of derivatives, mapped calls);
``layers``, ``packing`` (lengths and resets), ``carrying`` (states between calls),
``sequences`` (what people give, as rows), ``states``, ``recurrent``, ``streaming`` (one
step at a time), ``compatibility`` (`torch.nn`'s own classes), ``conversion``, ``heads``
(outputs, losses), ``explain`` and ``node_deltas`` (what a module does).

May import: ``cells``, ``backends``, ``math``, ``graph``, ``errors`` and torch.
Next: ``train``, which teaches these modules.
"""

from throughtime.nn.carrying import CarriedState
from throughtime.nn.citing import cite
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
    "CarriedState",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "RNNCell",
    "Recurrent",
    "Sigmoid",
    "Softmax",
    "cite",
    "convert",
    "explain",
    "mean_loss",
    "pool",
]
