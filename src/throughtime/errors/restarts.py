"""Mistakes of a training that is begun several times."""

from throughtime.errors.base import ThroughtimeError


class RestartEnded(ThroughtimeError, RuntimeError):
    """One of several trainings whose process was ended from outside."""

    message = (
        "The training of seed {seed} was ended by {how}, expected it to come to its "
        "end (those that had are judged, and the best is kept): see whether memory was "
        "short, and give fewer threads, which are trainings at the same time."
    )
