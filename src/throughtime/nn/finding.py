"""The recurrent module of a model."""

from torch import nn

from throughtime.errors import NoRecurrentModule, SeveralRecurrentModules
from throughtime.nn.layers import Layers


def recurrent_module(call: str, target: object) -> tuple[str, Layers]:
    """The one recurrent module in a model, and its name there; empty for itself.

    Parameters
    ----------
    call
        What was called with it, for messages.
    target
        A module.

    Raises
    ------
    NoRecurrentModule, SeveralRecurrentModules
        There is not exactly one.
    """
    modules = target.named_modules() if isinstance(target, nn.Module) else ()
    found = {name: module for name, module in modules if isinstance(module, Layers)}
    if not found:
        raise NoRecurrentModule(call=call, given=f"a {type(target).__name__}")
    if len(found) > 1:
        raise SeveralRecurrentModules(
            call=call, model=type(target).__name__, names=", ".join(found)
        )
    ((name, module),) = found.items()
    return name, module
