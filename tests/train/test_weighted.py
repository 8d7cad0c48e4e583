"""Sequences that count more: as if there were more of them."""

import numpy as np

from throughtime.train.preparing.scales import Moments


def test_weights_mean_the_same_as_repetitions() -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(3, 2, (40, 3))
    rows[draw.random(rows.shape) < 0.2] = np.nan
    weights = draw.integers(0, 4, 40)
    weighted, repeated = Moments(3), Moments(3)
    for start in range(0, 40, 7):
        part = slice(start, start + 7)
        weighted.add(rows[part], weights[part].astype(float))
        repeated.add(rows[part].repeat(weights[part], 0))
    for found, expected in zip(
        (weighted.mean, weighted.squares, weighted.count),
        (repeated.mean, repeated.squares, repeated.count),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert weighted.scale().std == tuple(
        np.sqrt(weighted.squares / weighted.count).tolist()
    )


def test_a_fraction_of_a_row_counts_as_such() -> None:
    moments = Moments(1)
    moments.add(np.array([[1.0], [5.0]]), np.array([0.3, 0.1]))
    np.testing.assert_allclose(moments.scale().mean, [2.0])
    np.testing.assert_allclose(moments.scale().std, [np.sqrt(3)])
