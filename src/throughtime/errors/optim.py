"""Mistakes around the optimisers whose regularisation waits until a row is used."""

from throughtime.errors.base import ThroughtimeError


class OptimiserError(ThroughtimeError, ValueError):
    """An optimiser is asked for what it cannot do, or used in an order it cannot."""


class NoExactForm(OptimiserError, NotImplementedError):
    """What cannot be caught up later without changing the result."""

    message = (
        "{given} has no form here that is caught up later and still exact ({reason}), "
        "expected what has one: {nearest}."
    )


class NoSuchOptimiser(OptimiserError, AttributeError):
    """An optimiser of a kind that has no exact lazy form."""

    message = "throughtime.optim has no {given}: {reason}. The nearest is {nearest}."


class BadHyperparameter(OptimiserError):
    """A rate or penalty outside its range."""

    message = "{argument}={given!r}, expected {expected}: give such a number."


class RateTooLarge(OptimiserError):
    """A step of the l2 penalty that would turn the sign of every weight."""

    message = (
        "lr={lr:g} with l2={l2:g} makes lr * l2 = {product:g}, expected less than 1, "
        "or the penalty overshoots zero: lower one of them, or take LazyFOBOS, which "
        "has no such limit."
    )


class StaleRows(OptimiserError, RuntimeError):
    """A gradient for rows that were read before their pending decay was applied."""

    message = (
        "{parameter} has a gradient for rows whose regularisation was still pending "
        "when they were read (row {row} is one of {count}), expected rows that were "
        "caught up before the forward pass: call optimizer.catch_up({advice}) before "
        "a functional lookup or a compiled call, or optimizer.settle() before all of "
        "the weights are used. The step was not taken."
    )


class UnsuitableParameter(OptimiserError):
    """A parameter that has no rows of real numbers."""

    message = (
        "{parameter} is {given}, expected a dense tensor of floating point with at "
        "least one dimension, its rows: leave it to another optimiser."
    )


class UnsuitableGradient(OptimiserError):
    """A sparse gradient that does not consist of whole rows."""

    message = (
        "{parameter} has a gradient that is {given}, expected a dense one or a sparse "
        "COO tensor of whole rows (sparse_dim 1), as Embedding(sparse=True) gives: "
        "make it one of these."
    )


class BadRows(OptimiserError, IndexError):
    """Row numbers that the parameter does not have."""

    message = (
        "rows={given}, expected whole numbers from 0 to {last}, rows of {parameter}: "
        "give such a tensor."
    )


class WhichParameter(OptimiserError):
    """Rows without saying of which of several parameters, or of a foreign one."""

    message = (
        "parameter={given}, expected one of the {count} parameters of this optimiser: "
        "name the one whose rows are meant, as in catch_up(rows, module.weight)."
    )


class ParameterTaken(OptimiserError, RuntimeError):
    """A parameter that a newer optimiser has taken over."""

    message = (
        "{parameter} was given to a newer optimiser, expected one that regularises it "
        "alone: step the newer one, and drop this one."
    )


class OneGroupOnly(OptimiserError):
    """Several groups for an optimiser that looks at all parameters together."""

    message = (
        "{kind} was given a second group of parameters, expected one: the curvature is "
        "that of all of them together; give one list."
    )


class StepNeedsLoss(OptimiserError, TypeError):
    """A step without the closure that computes the loss."""

    message = (
        "step() of {kind} was given no closure, expected a function that computes the "
        "loss and returns it without calling backward(): give it one."
    )
