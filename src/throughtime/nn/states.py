"""What a network carries from step to step, as named tuples of tensors."""

import collections
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from throughtime.errors import CellError

_CLASSES: dict[tuple[str, ...], type[Any]] = {}


def state_class(names: tuple[str, ...]) -> type[Any]:
    """The one named-tuple class for these state names.

    Its instances and itself cross processes by pickle, and ``torch.export`` saves
    programs that take or return it. A process that loads such a program knows the
    states of the built-in cells; for others, call this function first.
    """
    if names not in _CLASSES:
        _CLASSES[names] = _make_class(names)
    return _CLASSES[names]


def _make_class(names: tuple[str, ...]) -> type[Any]:
    label = f"State({','.join(names)})"
    # Type checkers want the fields of a named tuple written out.
    make: Any = getattr(collections, "namedtuple")  # noqa: B009
    try:
        made = make("State", names, module=__name__)
    except ValueError as error:
        raise CellError(cell=label, reason=f"{error}; rename the state") from None
    made.__doc__ = f"The states {', '.join(names)}, each of shape (L·D, B, n)."
    made.__qualname__ = label
    made.__reduce__ = _reduce
    pytree._register_namedtuple(made, serialized_type_name=f"throughtime.{label}")
    return made


def _reduce(state: Any) -> tuple[Any, ...]:
    return make_state, (state._fields, tuple(state))


def make_state(names: Iterable[str], values: Iterable[Tensor]) -> Any:
    """States under their names."""
    return state_class(tuple(names))(*values)


for _names in ((), ("h",), ("h", "c")):
    state_class(_names)

# Without this, `torch.load` refuses a checkpoint that holds a state.
torch.serialization.add_safe_globals([make_state])


def __getattr__(label: str) -> type[Any]:
    """Find a class by its qualified name, so that pickle can."""
    if label.startswith("State(") and label.endswith(")"):
        names = label.removeprefix("State(").removesuffix(")")
        return state_class(tuple(names.split(",")) if names else ())
    raise AttributeError(f"module {__name__!r} has no attribute {label!r}")
