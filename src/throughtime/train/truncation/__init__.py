"""TRUNCATION: how far the error of a stream without end flows back.

In reading order: `steps` (what was read of the stream and is still needed), `window`
(the steps that are run together, their states and their losses), `stream` (what every
truncation does), and the three: `fixed` (TBPTT(k1, k2)), `randomised` (random lengths,
unbiased) and `adaptive` (as far as a bound on the relative bias asks, by `bias`);
`naming` reads the three from a word such as ``10:30``.

May import `data` (chunks of a stream), `diagnose` (how error decays), `nn` and
`errors`; knows nothing of the rest of
`train`, so that any loop can use it. Next: `bench`, where it can be seen to matter.
"""

from throughtime.train.truncation.adaptive import AdaptiveTruncation
from throughtime.train.truncation.fixed import TBPTT
from throughtime.train.truncation.naming import Rule, read_rule, truncation
from throughtime.train.truncation.randomised import RandomTruncation
from throughtime.train.truncation.stream import Truncation
from throughtime.train.truncation.window import Window

__all__ = [
    "TBPTT",
    "AdaptiveTruncation",
    "RandomTruncation",
    "Rule",
    "Truncation",
    "Window",
    "read_rule",
    "truncation",
]
