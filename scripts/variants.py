"""Which pieces of music are variants of one piece."""

from collections import Counter
from itertools import combinations

import numpy as np

STRETCH = 4


def stretches(piece: np.ndarray) -> Counter[tuple[tuple[int, ...], ...]]:
    """Count the stretches of four steps, from the lowest note of each upwards."""
    found: Counter[tuple[tuple[int, ...], ...]] = Counter()
    for start in range(len(piece) - STRETCH + 1):
        cut = piece[start : start + STRETCH]
        if cut.any():
            lowest = np.flatnonzero(cut.any(axis=0))[0]
            found[tuple(tuple(np.flatnonzero(step) - lowest) for step in cut)] += 1
    return found


def groups(pieces: list[np.ndarray]) -> list[list[int]]:
    """Put variants together: pieces with a quarter of the shorter one in common."""
    counts = [stretches(piece) for piece in pieces]
    group = list(range(len(counts)))
    for a, b in combinations(range(len(counts)), 2):
        common = (counts[a] & counts[b]).total()
        if 4 * common >= min(counts[a].total(), counts[b].total()):
            group = [group[a] if one == group[b] else one for one in group]
    members: dict[int, list[int]] = {}
    for piece, one in enumerate(group):
        members.setdefault(one, []).append(piece)
    return list(members.values())
