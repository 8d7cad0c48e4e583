"""The built-in cells by their names on the command line."""

from throughtime.cells import (
    GRU,
    JANET,
    LSTM,
    MGU,
    UGRNN,
    CoupledLSTM,
    Elman,
    Feedforward,
    IndRNN,
    JordanElman,
    LayerNormLSTM,
    LeakyElman,
    MultiplicativeLSTM,
    PeepholeLSTM,
    ProjectedLSTM,
)

BUILT_IN = {
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

CELL_HELP = f"{', '.join(BUILT_IN)}, or FILE.py:Class for your own."
"""What `--cell` takes."""
