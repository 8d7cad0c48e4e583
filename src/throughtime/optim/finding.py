"""Modules that own a registered parameter are found when they are called.

Torch has no way from a parameter to its modules. A global hook before every forward
looks at each module once, and gives the owners hooks of their own: before their
forward pass the rows that they read are caught up; before they are saved, loaded,
copied or pickled, everything is. All of it goes when the optimisers go.
"""

import gc
import sys
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from throughtime.optim.pending import Pending
from throughtime.optim.rows import rows_read

_watched: weakref.WeakValueDictionary[int, Pending] = weakref.WeakValueDictionary()
_seen: weakref.WeakSet[nn.Module] = weakref.WeakSet()
_attached: weakref.WeakKeyDictionary[nn.Module, list[RemovableHandle]] = (
    weakref.WeakKeyDictionary()
)
_global: list[RemovableHandle] = []


def watch(pending: Pending) -> None:
    """Catch up a parameter whenever a module reads it, until `release`."""
    before = _watched.get(id(pending.parameter))
    if before is not None:
        before.settle()
    _watched[id(pending.parameter)] = pending
    _seen.clear()
    if not _global:
        _global.append(register_module_forward_pre_hook(_before_any_forward))


def is_watched(pending: Pending) -> bool:
    """Whether nobody has taken the parameter over."""
    return _watched.get(id(pending.parameter)) is pending


def search(pending: Pending) -> None:
    """Find owners that were never called: all modules that there are are looked at.

    It takes some tens of milliseconds, once, for who looks rows up by functions alone.
    """
    pending.found = True
    for one in gc.get_objects():
        if issubclass(type(one), nn.Module) and "_parameters" in vars(one):
            _attach(one, "")


def release(pendings: Iterable[Pending]) -> None:
    """Settle parameters and leave no hook behind."""
    for pending in pendings:
        pending.settle()
        if is_watched(pending):
            del _watched[id(pending.parameter)]
    for module, handles in list(_attached.items()):
        if not any(True for _ in _owned(module)):
            for handle in handles:
                handle.remove()
            vars(module).pop("__getstate__", None)
            del _attached[module]
    if not _watched:
        while _global:
            _global.pop().remove()


def _owned(module: nn.Module) -> Iterator[tuple[str, Pending]]:
    for name, parameter in module._parameters.items():
        pending = _watched.get(id(parameter))
        if pending is not None:
            yield name, pending


# ---------------------------------------------------------------------------- finding
def _before_any_forward(module: nn.Module, args: tuple[Any, ...]) -> None:
    if torch.compiler.is_compiling():
        if torch.compiler.is_exporting():
            _settle_outside(_watched.values())
        return
    if _is_compiled(module):
        _before_compiled(module)
    if module in _attached:
        return
    if module not in _seen:
        for name, inner in module.named_modules():
            _attach(inner, f"{name}." if name else "")
            _seen.add(inner)
    else:
        _attach(module, "")  # a parameter may have been assigned since
    for _, pending in _owned(module):
        pending.settle()  # the module's own hook comes too late for this call


def _attach(module: nn.Module, prefix: str) -> None:
    owned = dict(_owned(module))
    if not owned or module in _attached:
        return
    for name, pending in owned.items():
        pending.name, pending.found = f"parameter {prefix + name!r}", True
    _attached[module] = [
        module.register_forward_pre_hook(_before_forward, with_kwargs=True),
        module.register_state_dict_pre_hook(_before_saving),
        module.register_load_state_dict_pre_hook(_before_loading),
    ]
    # What `copy` and `pickle` ask first.
    vars(module)["__getstate__"] = _StateOf(module)


def _is_compiled(module: nn.Module) -> bool:
    """Whether it is what `torch.compile` made, which takes long to load."""
    kind = getattr(sys.modules.get("torch._dynamo"), "OptimizedModule", None)
    return kind is not None and isinstance(module, kind)


# ------------------------------------------------------------------------ before reads
def _before_forward(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    if torch.compiler.is_compiling():
        return
    for name, pending in _owned(module):
        if pending.settled:
            continue
        rows = rows_read(module, name, args, kwargs)
        if rows is not None:
            pending.catch_up(rows)
        elif not (module.training and torch.is_grad_enabled()):
            pending.settle()


def _before_compiled(module: nn.Module) -> None:
    """Settle what compiled code reads; in training the step looks after its rows."""
    if not (module.training and torch.is_grad_enabled()):
        _settle_all(module)


def _settle_all(module: nn.Module) -> None:
    for inner in module.modules():
        for _, pending in _owned(inner):
            pending.settle()


def _settle_outside(pendings: Iterable[Pending]) -> None:
    """Settle while tensors are only pretended to be computed with."""
    from torch._subclasses.fake_tensor import unset_fake_temporarily

    with unset_fake_temporarily():
        for pending in list(pendings):
            pending.settle()


def _before_saving(module: nn.Module, prefix: str, keep_vars: bool) -> None:
    for _, pending in _owned(module):
        if not pending.held:
            pending.settle()


def _before_loading(module: nn.Module, *_: Any) -> None:
    for _name, pending in _owned(module):
        pending.settle()


class _StateOf:
    """The state of a module for `copy` and `pickle`: settled, without our hooks."""

    def __init__(self, module: nn.Module) -> None:
        self._module = weakref.ref(module)

    def __call__(self) -> dict[str, Any]:
        module = self._module()
        assert module is not None  # it is being copied
        for _, pending in _owned(module):
            pending.settle()
        state = dict(type(module).__getstate__(module))
        state.pop("__getstate__", None)
        ours = {handle.id for handle in _attached.get(module, ())}
        for name, hooks in state.items():
            if "_hooks" in name and not ours.isdisjoint(hooks):
                kept = [(key, hook) for key, hook in hooks.items() if key not in ours]
                state[name] = type(hooks)(kept)
        return state
