"""The torch modules: recurrent layers of any cell, for `torch.nn` people.

In reading order: ``settings``, ``initialisation``, ``starting``, ``choice`` (which
backend serves), ``execution`` (the one way a layer runs); the room ``compiled``
(machine code as torch operators); ``layers``, ``packing`` and ``permuting`` (lengths
and resets), ``sequences`` (what people give, as rows), ``states``, ``carrying`` (states
of rows that come and go), ``sparse_sequences`` and ``sparse_inputs`` (a few of many
features), ``checkpointing``, ``recurrent``, ``running`` (steps of any
module), ``streaming`` (one step at a time), ``compatibility`` (`torch.nn`'s own
classes), ``conversion``, ``heads`` and ``softmaxes`` (outputs and losses), ``citing``,
``finding``, ``explain``, ``node_deltas`` and ``watching`` (what a module does).

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
from throughtime.nn.softmaxes import Softmaxes
from throughtime.nn.sparse_sequences import SparseSequences
from throughtime.nn.starting import initialise
from throughtime.nn.watching import watch

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
    "Softmaxes",
    "SparseSequences",
    "cite",
    "convert",
    "explain",
    "initialise",
    "mean_loss",
    "pool",
    "watch",
]
