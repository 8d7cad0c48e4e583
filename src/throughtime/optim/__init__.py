"""OPTIMISERS for sparse gradients with exact elastic net, and one of second order.

In reading order: ``flow`` (the mathematics: many steps of a regulariser in one
formula), ``pending`` (what rows are still owed), ``fused`` (the
same in one compiled pass, where it can be), ``rows`` (which rows something reads
or has a gradient for), ``finding`` (modules that own a parameter, caught up before
they read it), ``base`` and ``lazy`` (what all of them do), ``sgd``, ``adagrad``,
``ftrl``, and ``refusals`` (what has no exact form, and why); apart from them
``curvature`` (products with the Hessian) and ``saddle_free``.

They take the parameters of any PyTorch module, ``torch.nn.Embedding(sparse=True)``
first of all. May import: ``nn`` and the rooms below, torch.
Next: ``train``, which teaches with them.
"""

from typing import Any

from throughtime.optim.adagrad import LazyAdagrad
from throughtime.optim.ftrl import FTRLProximal
from throughtime.optim.refusals import missing
from throughtime.optim.saddle_free import SaddleFreeNewton
from throughtime.optim.sgd import LazyFOBOS, LazySGD

__all__ = ["FTRLProximal", "LazyAdagrad", "LazyFOBOS", "LazySGD", "SaddleFreeNewton"]


def __getattr__(name: str) -> Any:
    raise missing(name)
