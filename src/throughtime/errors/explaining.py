"""Mistakes in asking what a cell or a module does."""

from throughtime.errors.base import ThroughtimeError


class NotExplainable(ThroughtimeError, TypeError):
    """Something else than a cell or a recurrent module was to be explained."""

    message = (
        "explain() was given {given}, expected a Cell instance or a recurrent module "
        "of throughtime.nn: give one of these."
    )


class NoRecurrentModule(ThroughtimeError, TypeError):
    """Something without a recurrent module of this package was given."""

    message = (
        "{call}() was given {given}, expected a recurrent module of throughtime.nn or "
        "a model with one in it: give one; convert() replaces those of torch.nn."
    )


class SeveralRecurrentModules(ThroughtimeError, ValueError):
    """A model with more than one recurrent module was given."""

    message = (
        "{call}() was given a {model} with several recurrent modules, expected one: "
        "give one of {names}."
    )


class WatchedTwice(ThroughtimeError, RuntimeError):
    """A module was to be watched that is watched already."""

    message = (
        "watch() was given a module that is watched already, expected one that is not: "
        "use what the outer watch() gave."
    )


class NothingWatched(ThroughtimeError, RuntimeError):
    """Reports were asked for before a backward pass had made any."""

    message = (
        "No backward pass has reported anything, expected one: call the module inside "
        "watch(), where gradients are recorded, and backward() on a loss of its output."
    )


class CalledSeveralTimes(ThroughtimeError, ValueError):
    """A model called its recurrent module more than once in one pass."""

    message = (
        "{call}() was given a model that calls its recurrent module {count} "
        "times, expected one call: use watch(), which reports on each."
    )


class NotCitable(ThroughtimeError, TypeError):
    """Something else than a cell or a model with cells in it was to be cited."""

    message = (
        "cite() was given {given}, expected a Cell instance or a model with recurrent "
        "modules of throughtime.nn in it: give one of these; convert() replaces those "
        "of torch.nn."
    )


class BadExtent(ThroughtimeError, ValueError):
    """A number of steps or sequences that is none."""

    message = (
        "{argument}={given!r}, expected a whole number of at least 1, or None: give "
        "such a number."
    )


class NoParameters(ThroughtimeError, ValueError):
    """Numbers of a cell alone, which has no parameters to compute them with."""

    message = (
        "The cell {cell} alone has no parameters, and numbers need some: explain a "
        "module of it, such as tt.nn.Recurrent({cell}(), 3, 4)."
    )


class GradientShapeMismatch(ThroughtimeError, ValueError):
    """A gradient that is not shaped like what it is the gradient of."""

    message = (
        "grad_output is {given}, expected a tensor of shape {expected}, that of the "
        "output: give the gradient of the loss with respect to the output."
    )
