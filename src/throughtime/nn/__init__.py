"""The torch modules: recurrent layers of any cell, for `torch.nn` people.

In reading order: ``states`` (what is carried, as named tuples), ``initialisation``
(how parameters start), ``packing`` (lengths as a permutation of rows), ``choice``
(which backend serves and why), ``execution`` (the one way a layer runs), ``layers``
(parameters and the stack of layers), ``recurrent`` (`Recurrent`).

May import: ``cells``, ``backends``, ``math``, ``graph``, ``errors`` and torch.
Next: ``train``, which teaches these modules.
"""

from throughtime.nn.recurrent import Recurrent

__all__ = ["Recurrent"]
