"""RANKS: the processes that train one model together, each on its share of the rows.

`ranks` is what a process knows of the others and how it asks them; `joining` is how
they meet; `watching` tells who is slow from who is gone. They are started by
`throughtime train --devices N`, by `torchrun`, or by whoever sets up
`torch.distributed`, and all run the same lines. A row's state stays with its rank; sums
of losses, gradients and counts go round.

May import `train`'s settings, and `optim`.

Next: `tasks`, which give each rank its rows.
"""

from throughtime.train.ranks.joining import joined
from throughtime.train.ranks.ranks import ALONE, Ranks

__all__ = ["ALONE", "Ranks", "joined"]
