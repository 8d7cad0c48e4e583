"""What a network carries from step to step, as named tuples of tensors."""

from collections import namedtuple
from collections.abc import Iterable
from functools import cache
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

from throughtime.errors import CellError


@cache
def state_class(names: tuple[str, ...]) -> type[Any]:
    """The one named-tuple class for these state names.

    Its instances and itself cross processes by pickle, and ``torch.export`` saves
    programs that take or return it.
    """
    label = f"State({','.join(names)})"
    try:
        made: Any = namedtuple("State", names, module=__name__)
    except ValueError as error:
        raise CellError(cell=label, reason=f"{error}; rename the state") from None
    made.__doc__ = f"The states {', '.join(names)}, each of shape (L·D, B, n)."
    made.__qualname__ = label
    made.__reduce__ = lambda self: (make_state, (names, tuple(self)))
    pytree._register_namedtuple(made, serialized_type_name=f"throughtime.{label}")
    return made


def make_state(names: tuple[str, ...], values: Iterable[Tensor]) -> Any:
    """States under their names."""
    return state_class(tuple(names))(*values)


def __getattr__(label: str) -> type[Any]:
    """Find a class by its qualified name, so that pickle can."""
    if label.startswith("State(") and label.endswith(")"):
        names = label.removeprefix("State(").removesuffix(")")
        return state_class(tuple(names.split(",")) if names else ())
    raise AttributeError(f"module {__name__!r} has no attribute {label!r}")
