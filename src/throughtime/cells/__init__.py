"""The equations: one time step of each built-in cell, as printed in the papers.

A cell is a dozen lines of ``throughtime.math`` and nothing else: derivative, kernels
and torch module follow from them. To add one, write a file here (or anywhere: a
user's own cell has the same rights).

May import: ``math``, ``graph``, ``errors``. Knows no torch and no backend.
Next: ``graph.trace``, which reads the equations; ``nn``, which makes modules of them.
"""

from throughtime.cells.coupled_lstm import CoupledLSTM
from throughtime.cells.elman import Elman
from throughtime.cells.feedforward import Feedforward
from throughtime.cells.gru import GRU
from throughtime.cells.indrnn import IndRNN
from throughtime.cells.janet import JANET
from throughtime.cells.jordan_elman import JordanElman
from throughtime.cells.layer_norm_lstm import LayerNormLSTM
from throughtime.cells.leaky_elman import LeakyElman
from throughtime.cells.lstm import LSTM
from throughtime.cells.mgu import MGU
from throughtime.cells.multiplicative_lstm import MultiplicativeLSTM
from throughtime.cells.peephole import PeepholeLSTM
from throughtime.cells.projected_lstm import ProjectedLSTM
from throughtime.cells.regularisers import (
    DropConnect,
    KWinners,
    VariationalDropout,
    Zoneout,
)
from throughtime.cells.ugrnn import UGRNN

__all__ = [
    "GRU",
    "JANET",
    "LSTM",
    "MGU",
    "UGRNN",
    "CoupledLSTM",
    "DropConnect",
    "Elman",
    "Feedforward",
    "IndRNN",
    "JordanElman",
    "KWinners",
    "LayerNormLSTM",
    "LeakyElman",
    "MultiplicativeLSTM",
    "PeepholeLSTM",
    "ProjectedLSTM",
    "VariationalDropout",
    "Zoneout",
]
