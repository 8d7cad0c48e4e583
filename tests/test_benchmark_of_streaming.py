"""`python -m benchmarks.streaming`: what it compares are the same numbers."""

import numpy as np

from benchmarks.streaming import steps_of


def test_all_of_them_take_the_same_steps() -> None:
    steps = steps_of(3, 5)
    for _ in range(4):
        answers = [np.asarray(step()) for step in steps.values()]
        for other in answers[1:]:
            np.testing.assert_allclose(other, answers[0], rtol=0, atol=1e-6)
