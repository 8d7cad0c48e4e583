"""From `--cell` to a cell: a built-in name, or a class in a file of the user's."""

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from throughtime.cells.built_in import BUILT_IN, built_in
from throughtime.data import read_text
from throughtime.errors import (
    CellFileFails,
    CellFileRefused,
    CellNeedsArguments,
    CellNotInFile,
    CellWithoutClass,
    ThroughtimeError,
    UnknownCell,
)
from throughtime.errors.base import did_you_mean
from throughtime.graph import Cell


def find_cell(given: str) -> Cell:
    """Return the cell that `--cell` names.

    Raises
    ------
    UnknownCell, MissingFile, CellFileFails, CellFileRefused, CellWithoutClass,
    CellNotInFile, CellNeedsArguments
        There is none.
    """
    known = built_in(given)
    if known is not None:
        return known
    if given.endswith(".py"):
        raise _without_class(given)
    path, colon, name = given.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise UnknownCell(
            given=given, hint=did_you_mean(given, BUILT_IN), known=", ".join(BUILT_IN)
        )
    read_text(path)  # says clearly what is wrong with a file that cannot be read
    return _make(_class_of(_run_file(Path(path)), name, path), path)


def _without_class(path: str) -> CellWithoutClass:
    read_text(path)
    found = list(_classes(_run_file(Path(path))))
    return CellWithoutClass(
        given=path,
        found=", ".join(found) or "no cells",
        example=f"{path}:{found[0] if found else 'Class'}",
    )


def _run_file(path: Path) -> ModuleType:
    """Import the file under a name that shadows nothing, its neighbours in reach."""
    spec = importlib.util.spec_from_file_location(f"user_cells.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CellFileFails(path=path, line=1, reason="no loader for such a file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with blaming(str(path)):
            spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


@contextmanager
def blaming(given: str) -> Iterator[None]:
    """Tell an error of a user's file by its line; every other one passes as it is.

    Parameters
    ----------
    given
        What `--cell` names: `FILE.py:Class`, or the file alone.

    Raises
    ------
    CellFileFails, CellFileRefused
        The error comes from that file; the second is the language's own.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        path = Path(given.rpartition(":")[0] if given.count(".py:") else given)
        line = _line(error, path)
        # The language's own errors in equations name their line already.
        own = isinstance(error, ThroughtimeError)
        if line is None or (own and re.search(rf"(line |:){line}\b", str(error))):
            raise
        if own:
            raise CellFileRefused(path=path, line=line, reason=error) from error
        reason = f"{type(error).__name__}: {error}".rstrip(".: ")
        raise CellFileFails(path=path, line=line, reason=reason) from error


def _line(error: BaseException, path: Path) -> int | None:
    """Where in the file it happened; None: somewhere else."""
    whole = path.resolve()
    if isinstance(error, SyntaxError) and Path(error.filename or "").resolve() == whole:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename).resolve() == whole]
    return lines[-1] if lines else None


def _classes(module: ModuleType) -> dict[str, type[Cell]]:
    return {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Cell) and value is not Cell
    }


def _class_of(module: ModuleType, name: str, path: str) -> type[Cell]:
    found = _classes(module)
    if name not in found:
        raise CellNotInFile(
            path=path,
            name=name,
            hint=did_you_mean(name, found),
            found=", ".join(found) or "no cells",
        )
    return found[name]


def _make(kind: type[Cell], path: str) -> Cell:
    try:
        inspect.signature(kind).bind()
    except TypeError as error:
        raise CellNeedsArguments(path=path, name=kind.__name__, reason=error) from error
    with blaming(path):
        return kind()
