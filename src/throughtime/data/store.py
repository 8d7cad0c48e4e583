"""Rows of numbers, in memory or, where they are too many, in a private file."""

import errno
import os
import re
import tempfile
import weakref
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from throughtime.errors import BadMemory, DiskFull

_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(i?)B")
_CANNOT_TAKE_ROOM = (errno.EOPNOTSUPP, errno.EINVAL)
_UNITS = ("", "K", "M", "G", "T")


class Store(Protocol):
    """Rows `(n, width)` of one dtype; any stretch can be read and written."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Return the rows `start` to `stop`."""

    def write(self, start: int, rows: npt.NDArray[Any]) -> None:
        """Put `rows` `(m, width)` from row `start` on."""


class MemoryStore:
    """Rows in memory."""

    def __init__(self, rows: int, width: int, dtype: npt.DTypeLike) -> None:
        self._rows = np.empty((rows, width), dtype)
        self.shape = (rows, width)

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Return the rows `start` to `stop`; not to be written to."""
        return self._rows[start:stop]

    def write(self, start: int, rows: npt.NDArray[Any]) -> None:
        """Put `rows` `(m, width)` from row `start` on."""
        self._rows[start : start + len(rows)] = rows


class FileStore:
    """Rows in a file without a name, which ends with this object or its process.

    They are read by calls and never mapped, so that what was read does not count as
    memory of the process.

    Raises
    ------
    DiskFull
        There is no room for the file.
    """

    def __init__(self, rows: int, width: int, dtype: npt.DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._row = width * self._dtype.itemsize
        self.shape = (rows, width)
        self._folder = tempfile.gettempdir()
        try:
            with tempfile.TemporaryFile() as file:  # it has no name from now on
                self._file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._file)
            _take_room(self._file, rows * self._row)
        except OSError as error:
            raise self._full(error) from None

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Return the rows `start` to `stop`."""
        start, stop = max(0, start), min(stop, self.shape[0])
        rows = np.empty((max(0, stop - start), self.shape[1]), self._dtype)
        if not rows.size:
            return rows
        left, place = rows.data.cast("B"), start * self._row
        while len(left):
            count = os.preadv(self._file, [left], place)
            left, place = left[count:], place + count
        return rows

    def write(self, start: int, rows: npt.NDArray[Any]) -> None:
        """Put `rows` `(m, width)` from row `start` on."""
        if not rows.size:
            return
        rows = np.ascontiguousarray(rows, self._dtype)
        left, place = rows.data.cast("B"), start * self._row
        try:
            while len(left):
                count = os.pwrite(self._file, left, place)
                left, place = left[count:], place + count
        except OSError as error:
            raise self._full(error) from None

    def _full(self, error: OSError) -> DiskFull:
        rows = self.shape[0]
        size = f"{rows * self._row / 1e6:.0f} MB"
        return DiskFull(folder=self._folder, size=size, reason=error.strerror or error)


def _take_room(file: int, size: int) -> None:
    # A full disk shall end the work before it begins. Where room cannot be taken
    # beforehand, writing will tell.
    if hasattr(os, "posix_fallocate") and size:
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_TAKE_ROOM:
                raise


def new_store(rows: int, width: int, dtype: npt.DTypeLike, in_memory: bool) -> Store:
    """Make room for `rows` rows, in memory or in a file."""
    return (MemoryStore if in_memory else FileStore)(rows, width, dtype)


def read_memory(given: str) -> int:
    """Return the bytes that a text such as `"256MB"` names.

    Raises
    ------
    BadMemory
        It names none.
    """
    found = _MEMORY.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise BadMemory(given=given)
    number, unit, binary = found.groups()
    thousand = 1024 if binary else 1000
    return int(float(number) * thousand ** _UNITS.index(unit))
