"""Mistakes in how weights start, and in what changes them."""

from throughtime.errors.runs import SettingError


class UnfitChoice(SettingError):
    """An optimiser or schedule of PyTorch that cannot serve a training."""

    message = (
        "{argument}={given!r} cannot be used here ({reason}), expected one of {known}: "
        "give one of these."
    )


class UnfitOption(SettingError):
    """A name or value that an optimiser or schedule does not take."""

    message = (
        "{argument}={given!r} does not fit {of} ({reason}), expected {expected}: "
        "mend it, or leave it out."
    )


class OptionMissing(SettingError):
    """An option without which a schedule cannot be."""

    message = (
        "{argument}={given!r} lacks {option} of {of}, expected {expected}: give it."
    )


class NotGated(SettingError):
    """A cell without a gate that is known to forget, asked how that gate starts."""

    message = (
        "{argument}={given!r} is asked of {cell}, expected one of {known}, whose "
        "forget gate is known: leave it out, or declare init in a cell of your own."
    )


class NothingToStart(SettingError):
    """A module without the parameters that a way to start is about."""

    message = (
        "{argument}={given!r} is asked of {cell}, {reason}, expected a module that "
        "has them: leave {argument} out."
    )


class Pointless(SettingError):
    """A setting that another one makes without effect."""

    message = (
        "{argument}={given!r} has nothing to act on with {reason}, expected "
        "{expected}: give that."
    )
