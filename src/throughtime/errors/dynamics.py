"""Mistakes in asking how the states of a network move."""

from throughtime.errors.base import ThroughtimeError


class NotLayers(ThroughtimeError, TypeError):
    """Something else where a recurrent module belongs."""

    message = (
        "module is of type {given}, expected a recurrent module of throughtime.nn: of "
        "a model give the part that is one, such as model.network."
    )


class NothingCarried(ThroughtimeError, ValueError):
    """A cell without states, asked how they move."""

    message = (
        "{what} is asked of {cell}, which carries no state from step to step, expected "
        "a cell with states: give a recurrent one."
    )


class UnfitMeasurement(ThroughtimeError, ValueError):
    """A number that does not fit the states or the steps that it is asked of."""

    message = "{argument}={given!r} does not fit {of}, expected {expected}: give that."


class StatesDiverged(ThroughtimeError, ArithmeticError):
    """A trajectory or its derivative that is no finite number any more."""

    message = (
        "layer {layer}, direction {direction}: the state or derivative of step {step} "
        "is not finite, expected states that stay finite: give fewer steps, other "
        "weights or a smaller input."
    )


class FlossingDiverged(ThroughtimeError, ArithmeticError):
    """A gradient of Lyapunov exponents that is no finite number."""

    message = (
        "flossing={given}: the gradient of the exponents was not finite at update "
        "{update}, expected numbers: leave it out, or give dtype='float64'."
    )


class SingularStep(ThroughtimeError, ArithmeticError):
    """Exponents of minus infinity, which nothing can push towards 0."""

    message = (
        "exponents={given} of layer {layer}, direction {direction}: a step maps some "
        "directions to exactly 0, expected as many exponents as directions survive: "
        "give fewer, or a cell whose activation has no flat part, such as tanh."
    )
