"""Mistakes in asking for second derivatives of a loss, and for its surface."""

from throughtime.errors.base import ThroughtimeError


class CurvatureError(ThroughtimeError, ValueError):
    """A loss or parameters whose second derivatives cannot be had."""


class LossWithoutGraph(CurvatureError):
    """A closure that gives no loss, or one that cannot be differentiated twice."""

    message = (
        "loss() gave {given}, expected a real tensor of one number that depends on the "
        "parameters, its graph not used yet: compute it with gradients enabled, and "
        "return it without calling backward()."
    )


class LossNotFinite(CurvatureError):
    """A loss, a gradient or a curvature that is not finite at these weights."""

    message = (
        "The {what} is not finite at these weights, expected a finite one: look at the "
        "surface at other weights, such as the best ones of a run."
    )


class LossChanges(CurvatureError):
    """A closure that gives another loss for the same weights."""

    message = (
        "loss() gave {first} and then {second} for the same weights, expected one "
        "number: call eval() on the model, so that no masks are drawn, and let the "
        "closure use the same sequences at every call."
    )


class NotDense(CurvatureError):
    """A parameter, or its gradient, of which only some rows are stored."""

    message = (
        "{parameter} {given}, expected a dense tensor of real numbers that requires a "
        "dense gradient: leave it out, or make it dense."
    )


class NoWeights(CurvatureError):
    """An empty list of parameters."""

    message = (
        "parameters is empty, expected at least one number to move: give those of a "
        "model, such as model.named_parameters()."
    )


class OtherWeights(CurvatureError):
    """Two sets of weights between which there is no straight line."""

    message = (
        "initial has {given}, expected {expected} as the parameters have: give the "
        "weights of the same model before its training."
    )


class BadDirections(CurvatureError):
    """A vector that is not as long as all parameters together."""

    message = (
        "The vector has the shape {given}, expected ({expected},), a number for each "
        "of the parameters: give such a one."
    )


class CurvatureNotFound(ThroughtimeError, ArithmeticError):
    """Extreme eigenvalues that Lanczos's method did not reach."""

    message = (
        "The extreme eigenvalues were not found to a relative error of {tolerance:g} "
        "after {products} products, expected fewer to do: give a larger tolerance, or "
        "weights in float64."
    )
