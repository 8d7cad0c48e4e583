"""Crossed parameters, thinned: some combinations by default, all of them if slow."""

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import pytest

Facts = frozenset[tuple[tuple[int, int], ...]]


def crossed(
    *, ids: Callable[[Any], str] = str, **axes: Sequence[Any]
) -> pytest.MarkDecorator:
    """All combinations; by default those alone that show every value once.

    They are chosen one after the other: the most values that were not shown yet, and
    among equals the most pairs of values. The others are marked `slow`.
    """
    chosen = covering([len(values) for values in axes.values()])
    params = []
    for places in product(*(range(len(values)) for values in axes.values())):
        given = [values[i] for values, i in zip(axes.values(), places, strict=True)]
        marks = () if places in chosen else (pytest.mark.slow,)
        name = "-".join(map(ids, given))
        params.append(pytest.param(*given, id=name, marks=marks))
    return pytest.mark.parametrize(list(axes), params)


def covering(lengths: Sequence[int]) -> list[tuple[int, ...]]:
    """The places of some combinations, each place of each axis among them."""
    every = list(product(*map(range, lengths)))
    wanted = Facts().union(*(facts(places, 1) for places in every))
    values, pairs, chosen = Facts(), Facts(), []
    while values < wanted:
        most = max(
            every,
            key=lambda places: (
                len(facts(places, 1) - values),
                len(facts(places, 2) - pairs),
            ),
        )
        values, pairs = values | facts(most, 1), pairs | facts(most, 2)
        chosen.append(most)
    return chosen


def facts(places: Sequence[int], count: int) -> Facts:
    """What a combination shows: its values one by one, or in pairs."""
    return frozenset(combinations(enumerate(places), count))
