"""Mistakes around a report."""

from throughtime.errors.base import ThroughtimeError
from throughtime.errors.runs import RunError


class DamagedRunFile(RunError):
    """A file beside `model.json` that is not what throughtime wrote."""

    message = (
        "'{path}' is damaged ({reason}), expected what throughtime wrote there: "
        "restore the file from a copy, or remove it to do without."
    )


class ReportExtraMissing(ThroughtimeError, ImportError):
    """A package that draws reports is not installed."""

    message = (
        "{what} needs the package {package}, which is not installed, expected it "
        'here: pip install "throughtime[report]"'
    )


class UnwatchableKind(ThroughtimeError, ValueError):
    """A kind of watching that there is not."""

    message = (
        "watch={given!r} is not known{hint}, expected some of {known}, with commas "
        "between them: give these."
    )


class CannotServe(ThroughtimeError, OSError):
    """A page that the system does not let us serve."""

    message = (
        "The live page cannot be served on {host} ({reason}), expected a free port "
        "there: train without --watch live."
    )
