"""`curve.png`: a picture that shows what was measured."""

import io

import numpy as np
from matplotlib.image import imread

from tests.covering import crossed
from throughtime.train.showing.picture import draw_curve


@crossed(epochs=[1, 2, 50], metric=["accuracy", "bits_per_character"])
def test_it_is_a_picture_for_any_number_of_epochs(epochs: int, metric: str) -> None:
    rows = [
        {
            "epoch": k,
            "loss": 1 / k,
            "validation_loss": 1.1 / k,
            metric: 1 - 0.5 / k,
            f"validation_{metric}": 0.9 - 0.5 / k,
            "interrupted": False,
        }
        for k in range(1, epochs + 1)
    ]
    drawn = draw_curve(rows, metric, "a title", epochs, {"majority": 0.1, "ridge": 0.8})
    picture = imread(io.BytesIO(drawn))
    assert picture.shape[0] > 400 < picture.shape[1]
    pixels = np.rint(255 * picture).astype(np.uint8).view(np.uint32)
    assert len(np.unique(pixels)) > 10
    whole = draw_curve(rows, metric, "a title", 0, {})
    assert whole != drawn
    rows[-1]["interrupted"] = True
    assert draw_curve(rows, metric, "a title", 0, {}) != whole
