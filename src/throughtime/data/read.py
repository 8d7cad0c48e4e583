"""From whatever people have to a data set."""

from typing import Any

from throughtime.data.datasets import Dataset
from throughtime.data.reading import Reading
from throughtime.data.sources.opening import open_source
from throughtime.data.tables.assembling import assemble


def read(data: Any, reading: Reading | None = None) -> Dataset:
    """Read data of any kind.

    Parameters
    ----------
    data
        A frame of polars, pandas or Arrow; a list of arrays `(T_i, F)`, or one array
        `(N, T, F)`.
    reading
        What is known of them; by default everything follows from the data.

    Raises
    ------
    DataError
        The data cannot be used; the message says why and what to do.
    """
    return assemble(*open_source(data, reading or Reading()))
