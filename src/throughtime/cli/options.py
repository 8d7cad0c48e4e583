"""Options that several commands share, and how they print."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from throughtime.errors import UnusedSetting, UnwatchableKind
from throughtime.errors.base import did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])

RUN = click.Path()
WATCHED = ("gradients", "live")


def where(command: Command) -> Command:
    """Add where and how to compute."""
    for option in (
        click.option(
            "--threads", type=int, help="Threads to use; by default all that there are."
        ),
        click.option(
            "--device",
            default="cpu",
            show_default=True,
            metavar="cpu|cuda|cuda:N",
            help="Where to compute.",
        ),
        click.option(
            "--backend",
            default="auto",
            show_default=True,
            metavar="auto|llvm|cudnn|reference",
            help="What computes; auto takes the fastest that serves.",
        ),
    ):
        command = option(command)
    return command


def machine_readable(command: Command) -> Command:
    """Add `--json`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print one JSON object on standard output, all else on standard error.",
    )(command)


def show(
    result: Mapping[str, Any], lines: list[str], as_json: bool, quiet: bool = False
) -> None:
    """Print a result for a machine, or for a person."""
    if as_json:
        from throughtime.train.files import documents

        said = documents.as_json(result)
        click.echo(json.dumps(said, ensure_ascii=False, allow_nan=False))
    if not (as_json and quiet):
        for line in lines:
            click.echo(line, err=as_json)


def beside(metric: str, baselines: Mapping[str, float]) -> list[str]:
    """Say what trivial methods reach in the same metric."""
    from throughtime.data.trivial import LAST_TRUE

    told = {LAST_TRUE: "; it is told the truth of the step before, which no network is"}
    return [
        f"  {name}: {value:.4f} {metric.replace('_', ' ')} "
        f"(trivial{told.get(name, '')})"
        for name, value in baselines.items()
    ]


def note_untrained(best_epoch: int) -> None:
    """Say of a run that it has learned nothing yet."""
    from throughtime.train.opening import UNTRAINED

    if best_epoch == 0:
        click.echo(UNTRAINED, err=True)


def watched(given: Sequence[str]) -> frozenset[str]:
    """Read what of a training shall be watched.

    Raises
    ------
    UnwatchableKind
        There is no such thing.
    """
    for kind in given:
        if kind not in WATCHED:
            known = ", ".join(WATCHED)
            hint = did_you_mean(kind, WATCHED)
            raise UnwatchableKind(given=kind, hint=hint, known=known)
    return frozenset(given)


def use_threads(threads: int | None) -> None:
    """Set the number of threads of this process."""
    if threads is None:
        return
    import torch

    from throughtime.train.asking.settings import check_threads

    check_threads(threads)
    torch.set_num_threads(threads)


def refuse_others(reason: str, taken: set[str]) -> None:
    """Refuse what is given and would act on nothing.

    Parameters
    ----------
    reason
        What else is asked for.
    taken
        The names of what goes together with it.

    Raises
    ------
    UnusedSetting
        Something else was given.
    """
    context = get_current_context()
    for name, given in context.params.items():
        default = context.get_parameter_source(name) == ParameterSource.DEFAULT
        if not default and name not in taken:
            raise UnusedSetting(argument=name, given=given, reason=reason)
