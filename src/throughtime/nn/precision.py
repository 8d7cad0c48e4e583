"""Layers run in the precision of their parameters, whatever autocast asks for."""

from contextlib import AbstractContextManager, nullcontext

import torch


def own_precision(device: torch.device) -> AbstractContextManager[object]:
    """A context without autocast on this device, so that all backends agree.

    Compiled code computes in the parameters' dtype; torch's operations, of which the
    other backends are made, would run their products in a lower one. The backward
    pass runs as its caller has it, for torch outside of autocast.
    """
    # One question for all devices, as most calls are made without autocast.
    if not torch._C._is_any_autocast_enabled():
        return nullcontext()
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
