"""What a model answered, beside what was true: arrays that know no model."""

from typing import NamedTuple

from throughtime.data.types import FloatArray, IntegerArray


class Predicted(NamedTuple):
    """All answers to one target, or to several of one kind, beside the truth.

    Where a question has several categorical targets, there is one `Predicted` for
    each of them: classes exclude each other, and those of two targets do not. Several
    labels, or several real numbers, are columns of one.

    Parameters
    ----------
    outputs
        `(n, K)`, float64. Classes, labels, symbols: probabilities. Real numbers: values
        in the units of their columns; a forecast of the 1st to the H-th step of C
        columns has K = H · C of them, the 1st step of all columns first.
    targets
        `(n,)`, int64, where one of K classes or symbols is true; else `(n, K)`,
        float64. NaN is a target that nobody knows: it counts nowhere.
    sequences
        `(n,)`, int64: to which sequence each answer belongs.
    steps
        `(n,)`, int64: at which step of it the answer was given; 0 where there is one
        answer per sequence.
    """

    outputs: FloatArray
    targets: FloatArray | IntegerArray
    sequences: IntegerArray
    steps: IntegerArray
