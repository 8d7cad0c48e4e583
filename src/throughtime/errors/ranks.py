"""Mistakes of a training in several processes."""

from throughtime.errors.base import ThroughtimeError
from throughtime.errors.runs import SettingError


class NotShared(SettingError):
    """A setting that several processes cannot share."""

    message = (
        "{argument}={given!r} cannot be shared by {world} processes, expected "
        "{expected}: give such a value, or fewer processes."
    )


class BadMaster(SettingError):
    """No address at which several machines could meet."""

    message = (
        "master={given!r}, expected HOST:PORT of the machine with node_rank=0, by "
        "which all {nodes} machines reach it: give the same on each of them."
    )


class StartedAlready(SettingError):
    """A command that is to start processes, and was started as one of several."""

    message = (
        "{argument}={given!r} for process {rank} of {world} that were started "
        "together, expected none: leave {argument} out, or start the command alone."
    )


class RanksDiffer(ThroughtimeError, ValueError):
    """Processes of one training that were told different things."""

    message = (
        "The {what} of process {rank} differ from those of process 0, expected the "
        "same in all: start each with the same command, version and data."
    )


class RankLost(ThroughtimeError, RuntimeError):
    """A process of the training that does not answer any more."""

    message = (
        "Another process of the training does not answer ({reason}), expected all "
        "{world} until its end (what was saved last is kept): see what that process "
        "said, and go on from the last checkpoint with resume=True."
    )


class RankEnded(ThroughtimeError, RuntimeError):
    """A process of the training that was ended from outside."""

    message = (
        "Process {rank} of {world} was ended by {signal}, expected all of them until "
        "the end of the training (what was saved last is kept): see whether memory "
        "was short, and go on from the last checkpoint with resume=True."
    )
