"""The files that a path means: one, a folder's, or those of a pattern."""

import os
from collections import Counter
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Final

from throughtime.errors import EmptyFile, MissingFile, NoTable, UnreadableFile

#: The formats of tables by the endings of their files.
FORMATS: Final = {
    ".csv": "CSV",
    ".tsv": "CSV",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".arrow": "Arrow",
    ".feather": "Arrow",
    ".ipc": "Arrow",
    ".arrows": "Arrow stream",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".npz": "NumPy",
    ".ts": "TS",
    ".svm": "svmlight",
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
}

_SEVERAL: Final = ("CSV", "Parquet", "Arrow", "Arrow stream", "JSON Lines")


def format_of(path: Path) -> str | None:
    """Return the format that the ending of a file tells, or None."""
    return FORMATS.get(path.suffix.lower())


def is_pattern(path: str) -> bool:
    """Whether a path holds signs that stand for others."""
    return any(sign in path for sign in "*?[") and not Path(path).exists()


def find_files(path: str) -> tuple[list[Path], str]:
    """Return the files that a path means, in order of their names, and their format.

    Parameters
    ----------
    path
        A file, a folder with everything in it, or a pattern such as `run-*.parquet`.
        Of a folder, names that begin with a dot or an underscore are left out.

    Raises
    ------
    MissingFile, NoTable, EmptyFile, UnreadableFile
        There is no such file, or none that is a table.
    """
    root = Path(path)
    if is_pattern(path):
        found = sorted(map(Path, glob(path, recursive=True)))  # noqa: PTH207, any path
        files = [one for one in found if one.is_file()]
    elif root.is_dir():
        files = [one for one in sorted(root.rglob("*")) if _counts(one, root)]
    elif root.exists():
        files = [root]
    else:
        raise MissingFile(path=path, folder=Path.cwd())
    formats = Counter(format_of(one) or "no table" for one in files)
    single = len(formats) == 1 and "no table" not in formats
    if not single or (len(files) > 1 and next(iter(formats)) not in _SEVERAL):
        held = [f"{count} of {name}" for name, count in sorted(formats.items())]
        raise NoTable(
            source=path,
            found=f"files that are no one table ({', '.join(held)})"
            if files
            else "no file",
            formats=", ".join(_SEVERAL),
        )
    for file in files:
        check_readable(file)
    return files, next(iter(formats))


def check_readable(file: Path) -> None:
    """Refuse a file that is empty, or that the system does not let us read.

    Raises
    ------
    MissingFile, EmptyFile, UnreadableFile
        It is so.
    """
    try:
        with file.open("rb") as opened:
            empty = os.fstat(opened.fileno()).st_size == 0
    except FileNotFoundError:
        raise MissingFile(path=file, folder=Path.cwd()) from None
    except OSError as error:
        raise UnreadableFile(path=file, reason=error.strerror) from None
    if empty:
        raise EmptyFile(path=file)


def _counts(file: Path, root: Path) -> bool:
    inside: Sequence[str] = file.relative_to(root).parts
    return file.is_file() and not any(part[0] in "._" for part in inside)
