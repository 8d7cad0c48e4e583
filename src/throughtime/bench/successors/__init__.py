"""NEURAL SUCCESSORS of recurrence as reference points: where it stands today.

A causal convolution (`convolution`) and a small causal attention model (`attention`),
of PyTorch's layers, stand in the place of the recurrent network of a `Model`: readers,
heads, tasks and predictions are the same. `history` is what both share: they look at
inputs again, and carry no state. `learning` trains one within a time, by the loop of
`loop`.

May import `train` and the rooms below.

Next: `learning`, where a data set becomes a trained model.
"""

from throughtime.bench.successors.attention import CausalAttention
from throughtime.bench.successors.convolution import TemporalConvolution
from throughtime.bench.successors.learning import (
    NAMES,
    Trained,
    learn,
    make_successor,
    without_recurrence,
)

__all__ = [
    "NAMES",
    "CausalAttention",
    "TemporalConvolution",
    "Trained",
    "learn",
    "make_successor",
    "without_recurrence",
]
