"""The reference backend: step graphs interpreted with PyTorch operations.

Slow and obvious, for any dtype and device; the judge of every other backend. Its
derivatives are autograd's, so they share nothing with ``graph.adjoint``.

May import: ``math``, ``graph``, ``errors`` and torch; no other backend, no cell.
Next: ``interpreter``, the table of operations; ``layer``, the loop over time.
"""

from throughtime.backends.reference.interpreter import evaluate, evaluate_parameters
from throughtime.backends.reference.layer import run_adjoint, run_layer

__all__ = ["evaluate", "evaluate_parameters", "run_adjoint", "run_layer"]
