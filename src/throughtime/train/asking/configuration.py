"""`config.toml`: everything a training was asked for, to read, change and run again."""

import inspect
import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import tomli_w

from throughtime.errors import BadConfiguration, MissingFile, UnreadableFile
from throughtime.graph import Cell, trace

_HEADING = "# throughtime train --config THIS_FILE --out NEW repeats this training.\n"


def to_toml(asked: Mapping[str, Any]) -> bytes:
    """Write options as TOML; None is left out, as TOML has no such value.

    Parameters
    ----------
    asked
        Texts, numbers, booleans, sequences and mappings of these.
    """
    known = {name: value for name, value in asked.items() if value is not None}
    return (_HEADING + tomli_w.dumps(known)).encode("utf-8", "surrogatepass")


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a file of options.

    Raises
    ------
    MissingFile, UnreadableFile, BadConfiguration
        There is none, or it is no TOML; the message names the line.
    """
    try:
        return tomllib.loads(Path(path).read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise MissingFile(path=path, folder=Path.cwd()) from None
    except OSError as error:
        raise UnreadableFile(path=path, reason=error.strerror or error) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfiguration(path=path, reason=error) from None


def cell_words(cell: Cell) -> str | None:
    """Say a cell as `--cell` takes it; None if its class alone does not make it."""
    kind = type(cell)
    try:
        alike = trace(kind(), 2, 3) == trace(cell, 2, 3)
    except TypeError:  # it needs arguments
        return None
    if not alike:
        return None
    if kind.__module__.startswith("throughtime.cells"):
        return kind.__name__
    if kind.__module__ == "__main__":
        return None  # to read the file again would be to train again
    try:
        file = inspect.getsourcefile(kind)
    except (OSError, TypeError):  # written at a prompt
        return None
    return f"{Path(file).resolve()}:{kind.__name__}" if file else None
