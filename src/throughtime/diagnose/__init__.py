"""WHAT HAPPENED INSIDE: gradient flow through time, measured and treated.

`flow_penalty` (Pascanu, Mikolov & Bengio 2013) keeps the error that flows back as large
as it is, in any cell.

May import: `nn`, `optim`, `cells` and the rooms below, torch.
Next: `train`, whose options use what is found here.
"""

from throughtime.diagnose.flow_penalty import FlowPenalty

__all__ = ["FlowPenalty"]
