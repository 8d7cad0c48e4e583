"""Mistakes around scikit-learn's interface."""

from throughtime.errors.base import ThroughtimeError


class EstimatorError(ThroughtimeError, ValueError):
    """What is given to an estimator cannot be used."""


class TargetNeeded(EstimatorError):
    """A fit without what is to be learned."""

    message = (
        "{estimator} requires y to be passed, but the target y is None, expected an "
        "answer for each sequence: give them."
    )


class OtherKindOfX(EstimatorError, TypeError):
    """Sparse matrices where arrays are read, or the reverse."""

    message = "X are {given}, expected {expected}: give each sequence in that form."


class BadSampleWeight(EstimatorError):
    """Weights that are not one number for each sequence."""

    message = (
        "sample_weight is {given}, expected numbers of at least 0 of the shape "
        "{expected}: give one for each sequence."
    )


class NothingCounts(EstimatorError):
    """Weights that leave nothing to learn from."""

    message = (
        "sample_weight is zero everywhere, expected at least one weight above 0: give "
        "one, or None for all alike."
    )


class OneClassGiven(EstimatorError):
    """A classifier that has nothing to tell apart."""

    message = (
        "y has one class, {value!r}, expected at least two classes: give sequences of "
        "another one."
    )


class NothingToHoldOut(EstimatorError):
    """Too few sequences for a share of them to be kept apart."""

    message = (
        "X has {samples}, expected more, so that validation={validation!r} of them may "
        "be kept apart: give more, or validation=0 to learn from all."
    )


class ClassesChanged(EstimatorError):
    """New classes for a classifier that knows its own already."""

    message = (
        "{argument} has {given}, expected some of the known classes {known}: give only "
        "those, or call fit to begin anew."
    )


class TargetsChanged(EstimatorError):
    """Another number of answers than was learned so far."""

    message = (
        "y has {given} columns, expected {expected} as before: give those, or call fit "
        "to begin anew."
    )


class ClassesNeeded(EstimatorError):
    """A first part of the data that need not hold all classes."""

    message = (
        "classes=None, expected all classes that will ever come, in the first call of "
        "partial_fit: give them."
    )


class LengthsDiffer(EstimatorError):
    """Targets per step that are not as many as the steps."""

    message = (
        "y[{place}] has {given} steps, expected {expected} as X[{place}] has: give one "
        "target for each step."
    )


class NoSymbols(EstimatorError):
    """What cannot be read symbol by symbol."""

    message = "X is {given}, expected {expected}: give such symbols."


class PromptNeeded(EstimatorError):
    """A model that does not know how its sequences begin."""

    message = (
        "prompt=None, expected a sequence to go on with, as the run does not say how "
        "sequences begin: give one."
    )


class OtherKindOfRun(EstimatorError):
    """A run that answers another question than the estimator asks."""

    message = (
        "'{path}' is a run of task {task!r}, one answer per {per}, expected {expected} "
        "for {estimator}: load it by the estimator of its task, or by "
        "throughtime.load."
    )


class BaselinePackageMissing(EstimatorError):
    """A baseline that needs a package which is not installed."""

    message = (
        "{estimator} needs the package {package}, which is not installed, expected it "
        'here: pip install "throughtime[baselines]"'
    )


class LabelsGiven(EstimatorError):
    """Labels for what tells classes apart."""

    message = (
        "y has the shape {shape}, expected one class for each sequence, (N,): give "
        "those, or fit a model for each label."
    )


class SeriesTooShort(EstimatorError):
    """Fewer steps than a model has numbers."""

    message = (
        "X has {rows} steps with {lags} known ones before them, expected more than "
        "{lags} + 1: give longer sequences, or fewer lags."
    )


class OneSeriesNeeded(EstimatorError):
    """Several sequences for a model of one."""

    message = (
        "X has {given} sequences, expected one, of whose course {estimator} is a "
        "model: give one."
    )


class NoLabels(EstimatorError):
    """What cannot be read as labels of steps."""

    message = "X has {given}, expected {expected}: give a column for each label."


class WindowOfLayers(EstimatorError):
    """A network on the last steps that would see more than those."""

    message = (
        "the estimator of Window has {argument}={given!r}, expected {expected!r}, as "
        "another one sees other steps, too: give that."
    )
