"""In which numbers a layer computes where autocast asks for lower ones.

Layers run in the precision of their parameters, with one exception: compiled layers of
float32 round the operands of their products to bfloat16, where autocast asks for it and
the processor multiplies such numbers. Sums, pointwise functions, states and what is
stored stay float32.
"""

from contextlib import AbstractContextManager, nullcontext

import torch

from throughtime.backends import llvm
from throughtime.errors import BackendCannotServe
from throughtime.graph import StepGraph

# Asked once and here, as in `choice`.
BFLOAT16 = llvm.multiplies_bfloat16()


def own_precision(device: torch.device) -> AbstractContextManager[object]:
    """A context without autocast on this device.

    Torch's operations, of which some backends are made, would run their products in
    a lower precision. The backward pass runs as its caller has it, for torch outside
    of autocast.
    """
    # One question for all devices, as most calls are made without autocast.
    if not torch._C._is_any_autocast_enabled():
        return nullcontext()
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def takes_bfloat16(backend: str, dtype: torch.dtype) -> bool:
    """Whether products round their operands; asked outside of `own_precision`."""
    if not torch._C._is_any_autocast_enabled() or backend != "llvm":
        return False
    if dtype != torch.float32 or not torch.is_autocast_enabled("cpu"):
        return False
    return BFLOAT16 and torch.get_autocast_dtype("cpu") == torch.bfloat16


def check_bfloat16(graph: StepGraph, dtype: torch.dtype) -> None:
    """Refuse products that the processor or the type does not have."""
    if not BFLOAT16 or dtype != torch.float32:
        raise BackendCannotServe(
            backend="llvm",
            cell=graph.cell,
            dtype=dtype,
            device=torch.device("cpu"),
            reason="products of bfloat16 need float32 and a processor with AVX512_BF16",
        )
