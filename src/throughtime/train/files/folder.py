"""The files of a run, each written whole or not at all."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from pathlib import Path

from throughtime.errors import CannotWrite, NotARun, RunBusy, RunExists

MODEL = "model.json"
WEIGHTS = "model.safetensors"
INITIAL = "initial.safetensors"
CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
FLOW = "flow.jsonl"
CURVE = "curve.png"
COMMAND = "command.txt"
CONFIG = "config.toml"
EVALUATION = "evaluation.png"
DIAGNOSIS = "diagnosis.json"
DIAGNOSIS_PICTURE = "diagnosis.png"
TENSORBOARD = "tensorboard"
RESTARTS = "restarts.json"

_OWN = {MODEL, WEIGHTS, INITIAL, CHECKPOINT, METRICS, CURVE, COMMAND, CONFIG}
_OWN |= {TENSORBOARD, FLOW}
# What every run begins with.
_FIRST = {COMMAND, CONFIG, INITIAL}

# Whether what is written shall survive a crash of the machine.
_LASTING = ContextVar("lasting", default=True)


def make_folder(
    out: str | os.PathLike[str] | None, data: str, cell: str, *, resume: bool = False
) -> Path:
    """Make the folder of a new run.

    Parameters
    ----------
    out
        Where; None: `runs/<data>-<cell>-<n>`, n the first number that is free.
    data, cell
        Names for the default.
    resume
        What is at `out` may be a run, to go on with.

    Raises
    ------
    RunExists
        There is something at `out`.
    CannotWrite
        The system does not let us.
    """
    if out is None:
        return _next_free(Path("runs"), f"{_plain(Path(data).stem)}-{_plain(cell)}")
    path = Path(out)
    try:
        taken = path.exists() and not (path.is_dir() and _free(path, resume))
        if not taken:
            path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from None
    if taken:
        goes_on = not resume and (path / CHECKPOINT).is_file()
        more = ", or resume=True to go on with the training in it" if goes_on else ""
        raise RunExists(path=path, more=more)
    return path


def _free(path: Path, resume: bool) -> bool:
    """Whether a training may write here: only over files of its own, if any."""
    found = {entry.name for entry in path.iterdir()}
    if not resume:
        return not found
    # A run may have answers, pictures and notes beside its own files.
    parts = {f".{name}.part" for name in _OWN}
    return found >= _FIRST or found <= _OWN | parts


def write(path: Path, content: bytes) -> None:
    """Replace a file by new content; after any failure the old one is whole.

    Raises
    ------
    CannotWrite
        The system does not let us.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        if not _LASTING.get():
            path.write_bytes(content)
            return
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise cannot_write(path, error) from None


def remove(path: Path) -> None:
    """Remove a file, if there is one.

    Raises
    ------
    CannotWrite
        The system does not let us.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


@contextmanager
def passing() -> Iterator[None]:
    """Write, for a while, what is read soon and then thrown away.

    Nothing waits for the disk, which takes most of the time of a tiny training.
    """
    token = _LASTING.set(False)
    try:
        yield
    finally:
        _LASTING.reset(token)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Let no other training write into a folder, until this process lets go or ends.

    Where the system has no such locks, nothing is held.

    Raises
    ------
    RunBusy
        Another one does.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunBusy(path=folder) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(opened)


def check_run(path: str | os.PathLike[str]) -> Path:
    """Give the path back if a run lies there.

    Raises
    ------
    NotARun
        There is none.
    """
    folder = Path(path)
    if not folder.exists():
        raise NotARun(path=folder, reason="there is nothing")
    if not folder.is_dir():
        raise NotARun(path=folder, reason="it is a file")
    for name in (MODEL, WEIGHTS):
        if not (folder / name).is_file():
            raise NotARun(path=folder, reason=f"it has no {name}")
    return folder


def _next_free(parent: Path, name: str) -> Path:
    try:
        parent.mkdir(exist_ok=True)
        for number in count(1):
            path = parent / f"{name}-{number}"
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise cannot_write(parent, error) from None
    raise AssertionError  # the loop only ends by `return`


def _plain(name: str) -> str:
    """Words of letters and digits, joined by hyphens; `PeepholeLSTM` in two."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^\w]+", "-", words).strip("-").lower()


def cannot_write(path: Path, error: Exception) -> CannotWrite:
    """Say that the system does not let us."""
    return CannotWrite(path=path, reason=getattr(error, "strerror", None) or error)
