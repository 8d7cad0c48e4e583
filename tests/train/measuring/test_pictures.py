"""Pictures: one for every question, whatever the numbers of classes and answers."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from throughtime.data import Question
from throughtime.train.measuring.pictures import draw
from throughtime.train.measuring.predicted import Predicted


def answers(
    question: Question, width: int, n: int, sequences: int, *, symbols: bool = False
) -> Predicted:
    random = np.random.default_rng(width)
    places = np.arange(n)
    belongs, steps = places * sequences // n, places
    if question.task == "classify" or symbols:
        outputs, targets = random.dirichlet(np.ones(width), n), places % width
    elif question.task in ("multilabel", "next"):
        outputs = random.random((n, width))
        targets = (random.random((n, width)) < outputs).astype(float)
    else:
        outputs, targets = random.normal(size=(2, n, width * question.horizon))
    return Predicted(outputs, targets, belongs, steps)


def assert_drawn(picture: bytes) -> None:
    pixels = imread(io.BytesIO(picture))
    assert pixels.shape[0] > 400 < pixels.shape[1]
    assert len({tuple(pixel) for pixel in pixels[::3, ::3].reshape(-1, 4)}) > 10


@pytest.mark.parametrize("n", [1, 200])
@pytest.mark.parametrize(
    ("question", "width"),
    [
        (Question("classify", "sequence"), 2),
        (Question("classify", "step"), 5),
        (Question("classify", "step"), 20),
        (Question("classify", "step"), 40),
        (Question("multilabel", "step"), 3),
        (Question("regress", "sequence"), 1),
        (Question("regress", "sequence"), 6),
        (Question("regress", "step"), 2),
        (Question("next", "step"), 88),
        (Question("forecast", "step", 1), 1),
        (Question("forecast", "step", 5), 2),
    ],
    ids=lambda value: getattr(value, "task", str(value)),
)
def test_there_is_a_picture_for_every_question(
    question: Question, width: int, n: int
) -> None:
    predicted = answers(question, width, n, sequences=min(n, 3))
    labels = [f"label {number}" for number in range(width)]
    assert_drawn(draw(question, predicted, labels, "a title"))


@pytest.mark.parametrize("n", [1, 30, 5000])
def test_symbols_are_drawn_by_position(n: int) -> None:
    question = Question("next", "step")
    predicted = answers(question, 4, n, 1, symbols=True)
    assert_drawn(draw(question, predicted, ["a", "\n", " ", "\x00"], "a title"))


def test_what_nobody_knows_leaves_gaps() -> None:
    question = Question("forecast", "step", 2)
    predicted = answers(question, 1, 30, 1)
    predicted.targets[-1, 1] = np.nan
    predicted.targets[4:7] = np.nan
    assert_drawn(draw(question, predicted, ["co2"], "a title"))
    per_sequence = Question("regress", "sequence")
    assert_drawn(draw(per_sequence, predicted, ["a", "b"], "a title"))


def test_the_same_answers_give_the_same_bytes() -> None:
    question = Question("classify", "step")
    predicted = answers(question, 3, 30, 1)
    first, again = (draw(question, predicted, list("abc"), "title") for _ in range(2))
    assert first == again
    assert first != draw(question, predicted, list("abc"), "another title")
