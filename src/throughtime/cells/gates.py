"""Which rows of the built-in cells' weights are the gate that forgets.

A cell holds on to its state by a share, σ of a sum or 1 − σ of one; the bias in that
sum says how long it remembers before it has learned anything.
"""

from dataclasses import dataclass

from throughtime.cells.coupled_lstm import CoupledLSTM
from throughtime.cells.gru import GRU
from throughtime.cells.janet import JANET
from throughtime.cells.layer_norm_lstm import LayerNormLSTM
from throughtime.cells.lstm import LSTM
from throughtime.cells.mgu import MGU
from throughtime.cells.multiplicative_lstm import MultiplicativeLSTM
from throughtime.cells.peephole import PeepholeLSTM
from throughtime.cells.projected_lstm import ProjectedLSTM
from throughtime.cells.ugrnn import UGRNN
from throughtime.graph import Cell

BIASES = ("bias_ih", "bias_hh")
"""The parameters whose sum is the bias of every gate, one block per gate."""


@dataclass(frozen=True)
class ForgetGate:
    """Where the share of its state that a cell keeps is computed.

    Parameters
    ----------
    block
        Which of the blocks of `BIASES`, from 0.
    sign
        1 if the share is σ of the sum, -1 if it is 1 − σ, which is σ of its negative.
    input
        The block of a gate of its own for what is taken in; None: there is none.
    """

    block: int
    sign: int = 1
    input: int | None = None


_LSTM = ForgetGate(1, input=0)
GATES: dict[type[Cell], ForgetGate] = {
    LSTM: _LSTM,
    PeepholeLSTM: _LSTM,
    LayerNormLSTM: _LSTM,
    ProjectedLSTM: _LSTM,
    MultiplicativeLSTM: _LSTM,
    CoupledLSTM: ForgetGate(0),
    GRU: ForgetGate(1),
    MGU: ForgetGate(0, sign=-1),
    UGRNN: ForgetGate(0),
    JANET: ForgetGate(0),
}


def forget_gate(cell: Cell) -> ForgetGate | None:
    """Return the gate of a built-in cell, regularised or not; None of any other."""
    # A class derived from one of these may have written other equations.
    return GATES.get(type(cell))
