"""Every exception of the package, one class per mistake.

A message is one sentence that names the argument, what was given, what was expected
and what to do. All classes descend from `ThroughtimeError`; `base` holds it, each
other file the mistakes of one subject. Imports nothing of the package and no torch.

Next: `graph`, what is computed.
"""

from throughtime.errors.base import ThroughtimeError
from throughtime.errors.bench import *
from throughtime.errors.comparing import *
from throughtime.errors.curvature import *
from throughtime.errors.data import *
from throughtime.errors.descent import *
from throughtime.errors.diagnosing import *
from throughtime.errors.dynamics import *
from throughtime.errors.estimators import *
from throughtime.errors.explaining import *
from throughtime.errors.items import *
from throughtime.errors.lab import *
from throughtime.errors.language import *
from throughtime.errors.modules import *
from throughtime.errors.optim import *
from throughtime.errors.ranks import *
from throughtime.errors.reports import *
from throughtime.errors.restarts import *
from throughtime.errors.runs import *
from throughtime.errors.sparse import *
from throughtime.errors.successors import *
from throughtime.errors.tables import *
from throughtime.errors.truncation import *

__all__ = [
    name
    for name, kind in sorted(globals().items())
    if isinstance(kind, type) and issubclass(kind, ThroughtimeError)
]
