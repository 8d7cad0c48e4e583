"""The equations: one time step of each built-in cell, as printed in the papers.

A cell is a dozen lines of ``throughtime.math`` and nothing else: derivative, kernels
and torch module follow from them. To add one, write a file here (or anywhere: a
user's own cell has the same rights).

May import: ``math``, ``graph``, ``errors``. Knows no torch and no backend.
Next: ``graph.trace``, which reads the equations; ``nn``, which makes modules of them.
"""

from throughtime.cells.elman import Elman
from throughtime.cells.feedforward import Feedforward
from throughtime.cells.gru import GRU
from throughtime.cells.lstm import LSTM
from throughtime.cells.peephole import PeepholeLSTM
from throughtime.cells.regularisers import DropConnect, VariationalDropout, Zoneout

__all__ = [
    "GRU",
    "LSTM",
    "DropConnect",
    "Elman",
    "Feedforward",
    "PeepholeLSTM",
    "VariationalDropout",
    "Zoneout",
]
