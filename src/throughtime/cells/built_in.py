"""The built-in cells by name, as the command line and the estimators take them."""

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
from throughtime.cells.ugrnn import UGRNN
from throughtime.graph import Cell

BUILT_IN: dict[str, Cell] = {
    "elman": Elman(),
    "lstm": LSTM(),
    "peephole-lstm": PeepholeLSTM(),
    "gru": GRU(),
    "gru-reset-before": GRU(reset_after=False),
    "feedforward": Feedforward(),
    "layer-norm-lstm": LayerNormLSTM(),
    "coupled-lstm": CoupledLSTM(),
    "projected-lstm": ProjectedLSTM(),
    "multiplicative-lstm": MultiplicativeLSTM(),
    "mgu": MGU(),
    "ugrnn": UGRNN(),
    "janet": JANET(),
    "indrnn": IndRNN(),
    "leaky-elman": LeakyElman(),
    "leaky-elman-dale": LeakyElman(excitatory=0.8),
    "jordan-elman": JordanElman(),
}


def built_in(name: str) -> Cell | None:
    """Return the cell of a name, however it is written; None: there is none."""
    known = {_plain(word): cell for word, cell in BUILT_IN.items()}
    return known.get(_plain(name))


def _plain(name: str) -> str:
    """Leave out how a name is written: `PeepholeLSTM` is `peephole-lstm`."""
    return name.lower().replace("-", "").replace("_", "")
