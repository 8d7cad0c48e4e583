"""What parameters of baselines are checked for, and packages that they need."""

import math
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from throughtime.errors import BaselinePackageMissing, NumberOutOfRange
from throughtime.train.asking.ranges import ABOVE_0
from throughtime.train.asking.settings import check_count, check_number


def drawn_seed(random_state: Any) -> int:
    """Return the number that everything of a fit is drawn from."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def candidates(argument: str, given: int | Sequence[int]) -> list[int]:
    """Return the numbers that are tried: one, or several of which one is chosen.

    Raises
    ------
    NumberOutOfRange
        One of them is no whole number of at least 1, or there is none.
    """
    several = isinstance(given, (list, tuple, range))
    tried: list[Any] = [*given] if several else [given]
    if not tried:
        expected = "a whole number of at least 1, or several"
        raise NumberOutOfRange(argument=argument, given=given, expected=expected)
    for one in tried:
        check_count(argument, one, 1)
    return tried


def end_of(time_limit: float | None) -> float:
    """Return when so many seconds from now are over, by `time.monotonic`.

    Raises
    ------
    NumberOutOfRange
        It is no number above 0.
    """
    if time_limit is None:
        return math.inf
    check_number("time_limit", time_limit, ABOVE_0)
    return time.monotonic() + time_limit


def package(estimator: Any, module: str) -> Any:
    """Import a module of the extra `baselines`.

    Raises
    ------
    BaselinePackageMissing
        It is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise BaselinePackageMissing(
            estimator=type(estimator).__name__, package=module.split(".", maxsplit=1)[0]
        ) from None
