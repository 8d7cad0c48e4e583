"""`.npz` files: arrays under names that are agreed on."""

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from throughtime.data.sources.arrays import ArraySource, array_source
from throughtime.errors import NotATable

_FORMAT: Final = "NumPy"
_EXPECTED: Final = "expected `x` (N, T, F), or `frames` (n, F) and `lengths` (N,)"


def numpy_source(file: Path, with_targets: bool = True) -> ArraySource:
    """Make a source of the arrays in a file.

    Parameters
    ----------
    file
        It holds `x` `(N, T, F)`, or `frames` `(n, F)`, all steps of all sequences,
        and `lengths` `(N,)`, n in sum. And, where there are targets, `y`: `(N,)` or
        `(N, K)` per sequence; per step `(N, T, K)` beside `x`, `(n,)` or `(n, K)`
        beside `frames`.
    with_targets
        Whether to read them.

    Raises
    ------
    NotATable, BadArrays, TargetShapeMismatch
        It holds something else.
    """
    try:
        with file.open("rb") as opened, np.load(opened) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        raise _wrong(file, str(error).strip().rstrip(".")) from None
    data, target = arrays.get("x"), arrays.get("y") if with_targets else None
    if data is None:
        if not {"frames", "lengths"} <= arrays.keys():
            found = ", ".join(f"`{name}`" for name in arrays) or "nothing"
            raise _wrong(file, f"it holds {found}, {_EXPECTED}")
        data, target = _cut(file, arrays["frames"], arrays["lengths"], target)
    return array_source(str(file), data, target)


def _cut(file: Path, frames: Any, lengths: Any, target: Any) -> tuple[Any, Any]:
    counts = lengths.dtype.kind in "iu" and lengths.ndim == 1 and (lengths > 0).all()
    if not counts or frames.ndim != 2 or lengths.sum() != len(frames):
        shapes = f"`frames` {frames.shape} and `lengths` {lengths.shape}"
        reason = f"{shapes} do not fit, each length being at least 1 and their sum n"
        raise _wrong(file, reason)
    edges = np.cumsum(lengths)[:-1]
    if target is not None and len(target) == len(frames) != len(lengths):
        target = np.split(target, edges)
    return np.split(frames, edges), target


def _wrong(file: Path, reason: str) -> NotATable:
    return NotATable(source=file, format=_FORMAT, reason=reason)
