"""Mistakes in sequences whose steps name a few of many features."""

from throughtime.errors.base import ThroughtimeError


class SparseError(ThroughtimeError, ValueError):
    """Sparse sequences that cannot be, or are given where none can be."""


class NoSuchFeature(SparseError, IndexError):
    """A feature with a number that the input does not have."""

    message = (
        "Step {step} of sequence {sequence} names feature {given}, expected whole "
        "numbers from 0 to {last}: number features from 0, or give a larger input_size."
    )


class BadFeatureValue(SparseError):
    """A value of a feature that is no finite number."""

    message = (
        "Step {step} of sequence {sequence} gives feature {feature} the value {given}, "
        "expected a finite number: leave the feature out, or repair its value."
    )


class BadSparseSteps(SparseError):
    """Arrays of features, values and offsets that do not belong together."""

    message = "{argument} is {given}, expected {expected}: {advice}."


class NotSparseSteps(SparseError, TypeError):
    """Something else where a sequence of sparse steps belongs."""

    message = (
        "{place} is {given}, expected a matrix of scipy.sparse, a sparse tensor (T, "
        "F), or a list of steps, each a list of features or of (feature, value): give "
        "one of these."
    )


class SparseInputExpected(SparseError, TypeError):
    """A module that looks features up was given something else, or the reverse."""

    message = "input is of type {given}, expected {expected}: {advice}."


class LengthsOfSparse(SparseError):
    """Lengths beside sequences that know their own."""

    message = (
        "lengths was given with SparseSequences, which have their own: give the one "
        "or the other."
    )


class SparseInputElsewhere(SparseError, RuntimeError):
    """A call of a module that looks features up which takes dense steps alone."""

    message = (
        "{call}() was called on a module of sparse_input=True, expected one of dense "
        "inputs: call the module with SparseSequences of one step and the state."
    )
