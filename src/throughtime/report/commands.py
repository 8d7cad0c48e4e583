"""Commands to copy: a training once more with another option, a diagnosis."""

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from throughtime.report.reading import RunFolder

_TRAIN: Final = "throughtime train "
_OUT: Final = "--out"
# A training that is made again has nothing to go on with.
_RESUME: Final = "--resume"


def again(run: RunFolder, options: str) -> str | None:
    """Write the command that trained a run, with some options, into a new folder.

    Parameters
    ----------
    run
        The run, whose `command.txt` is taken.
    options
        As a remedy says them, such as ``--init orthogonal``; what the command says of
        the same options goes.

    Returns
    -------
    str or None
        The command; None where the run was not made by ``throughtime train``.
    """
    if not run.command.startswith(_TRAIN):
        return None
    words, new = shlex.split(run.command), shlex.split(options)
    known = _value(words, _OUT)
    folder = _free(run.path, run.path if known is None else Path(known))
    named = {word.partition("=")[0] for word in new if word.startswith("--")}
    kept = list(_without(words, named | {_OUT, _RESUME}))
    return shlex.join([*kept, *new, _OUT, folder])


def diagnose(run: RunFolder, *options: str) -> str:
    """Write the command that diagnoses a run."""
    return shlex.join(["throughtime", "diagnose", str(run.path), *options])


def _value(words: Sequence[str], option: str) -> str | None:
    """What a command says of an option last; None: nothing."""
    found = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            found = following
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found


def _without(words: Sequence[str], options: set[str]) -> Iterator[str]:
    """Leave out options with their values."""
    dropping = False
    for word in words:
        option = word.startswith("--")
        if option:
            name, _, _ = word.partition("=")
            dropping = name in options
        if not dropping:
            yield word
        # One value belongs to it at most; `--resume` and what has an = have none.
        elif not option or "=" in word or word == _RESUME:
            dropping = False


def _free(run: Path, named: Path) -> str:
    """A name beside the run's that nothing has: `first-2`."""
    base = re.sub(r"-\d$", "", named.name)
    beside = run.resolve().parent
    name = next(
        f"{base}-{number}"
        for number in count(2)
        if not (beside / f"{base}-{number}").exists()
    )
    return str(named.with_name(name))
