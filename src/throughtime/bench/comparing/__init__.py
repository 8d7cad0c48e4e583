"""COMPARING: is a recurrent network needed, and what for.

`comparing` (`compare`) is the whole of it. `contestants` says which models answer which
question: `blind`, `markov` and `series` are baselines, `networks` what is trained;
`examples` is what baselines are given of a data set, `learning` how they choose in the
time that they have, `competing` each model's turn. `scoring` keeps what answers add to
the metric, `pairing` tests differences, `history` cuts what a network sees, `judging`
draws the conclusions; `verdict`, `comparison` and `picture` say and show them.

May import what `bench` may. Next: `cli.compare`.
"""

from throughtime.bench.comparing.comparing import compare
from throughtime.bench.comparing.comparison import Comparison, Row

__all__ = ["Comparison", "Row", "compare"]
