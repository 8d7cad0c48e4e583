"""Pixel by pixel: which image was read, one pixel or one row at a time.

After Le, Jaitly and Hinton (2015), who read the 784 pixels of MNIST. Here

`digits` is the 8×8 digits that scikit-learn brings (Alpaydin & Kaynak 1998): 64 steps
of one number, how dark a pixel is, row by row; 10 classes. The first 898 images are
learned from, but the last 112 of them, which say what to keep; the other 899 are the
test. Images lie by their writers, so that each part has hands of its own; so few are
learned from that each of these is read shifted by a pixel to each side, too. Ridge
regression on all 64 pixels at once names 0.884 of the test, with the shifted ones
0.825.

`permuted-digits` reads the same pixels in one order that was drawn once, so that
neighbours are far apart in time.

`fashion-rows` and `permuted-fashion` are Fashion-MNIST (Xiao, Rasul & Vollgraf 2017)
from a folder with its four files: 28 rows of 28 pixels, and the 49 means of 4×4 pixels
in one drawn order. The last 10,000 images of training say what to keep.
"""

import gzip
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from throughtime.bench.running.fitted import learn
from throughtime.bench.running.task import Asked, Known, Measure, Reached, Recipe, Task
from throughtime.data.types import FloatArray
from throughtime.errors import MissingFile, NotImages

#: How many digits are learned from, and the last of these that are kept apart.
LEARNED: Final = 898
APART: Final = 112
_PERMUTATION = 0
_CLASSES = 10


def digits() -> tuple[FloatArray, FloatArray, list[str]]:
    """Read the 8×8 digits.

    Returns
    -------
    images : ndarray
        `(1797, 64, 1)`, from 0 to 16.
    labels : ndarray
        `(1797,)`.
    parts : list of str
        Of each image.
    """
    from sklearn.datasets import load_digits

    images, labels = map(np.asarray, load_digits(return_X_y=True))
    parts = ["train"] * (LEARNED - APART) + ["validation"] * APART
    parts += ["test"] * (len(images) - LEARNED)
    return images[:, :, None], labels, parts


def shifted(
    images: FloatArray, labels: FloatArray, parts: list[str]
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Add the training images of 8×8 pixels, shifted by one to each side.

    Takes and gives what `digits` gives; a pixel from beyond the edge is 0.
    """
    learned = np.asarray(parts) == "train"
    wide = np.pad(images[learned].reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    corners = ((0, 1), (2, 1), (1, 0), (1, 2))
    moved = [wide[:, top : top + 8, left : left + 8] for top, left in corners]
    return (
        np.concatenate([images, *(one.reshape(-1, 64, 1) for one in moved)]),
        np.concatenate([labels, *[labels[learned]] * len(moved)]),
        parts + ["train"] * (len(moved) * int(learned.sum())),
    )


def fashion(folder: str) -> tuple[FloatArray, FloatArray, list[str]]:
    """Read Fashion-MNIST: `(70000, 28, 28)` from 0 to 255, as `digits` gives them.

    Raises
    ------
    MissingFile, NotImages
        The folder has not the four files, or they are none of images.
    """
    images = [
        _read(folder, f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k")
    ]
    labels = [
        _read(folder, f"{part}-labels-idx1-ubyte.gz") for part in ("train", "t10k")
    ]
    kept = len(images[0]) * 5 // 6
    parts = ["train"] * kept + ["validation"] * (len(images[0]) - kept)
    parts += ["test"] * len(images[1])
    return np.concatenate(images), np.concatenate(labels), parts


def _read(folder: str, name: str) -> FloatArray:
    """Read an IDX file of bytes, as MNIST came in."""
    path = Path(folder) / name
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise MissingFile(path=path, folder=Path.cwd()) from None
    except (OSError, EOFError, zlib.error) as error:
        raise NotImages(path=path, reason=error) from None
    axes = content[3] if len(content) > 3 and content[:3] == b"\0\0\x08" else 0
    shape = np.frombuffer(content[4 : 4 + 4 * axes], ">u4").astype(int)
    if not axes or len(content) - 4 - 4 * axes != shape.prod():
        raise NotImages(path=path, reason="no IDX file of bytes")
    pixels = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
    return pixels.reshape(shape).astype(np.float32)


def permuted(images: FloatArray) -> FloatArray:
    """Give all images the same drawn order of steps."""
    order = np.random.default_rng(_PERMUTATION).permutation(images.shape[1])
    return images[:, order]


def pooled(images: FloatArray, side: int = 4) -> FloatArray:
    """Give the means of squares of pixels, as steps of one number."""
    count, height, width = images.shape
    squares = images.reshape(count, height // side, side, width // side, side)
    return squares.mean((2, 4)).reshape(count, -1, 1)


def table(images: FloatArray, labels: FloatArray, parts: list[str]) -> pl.DataFrame:
    """Lay images `(N, T, F)` out as rows: `image`, `step`, `part`, `label`, pixels."""
    count, steps, features = images.shape
    names = [f"pixel{place}" for place in range(features)]
    rows = pl.DataFrame(images.reshape(-1, features), schema=names)
    return rows.with_columns(
        image=np.repeat(np.arange(count), steps),
        step=np.tile(np.arange(steps), count),
        part=pl.Series(np.repeat(np.asarray(parts), steps)),
        label=pl.Series(np.repeat(labels.astype(int).astype(str), steps)),
    )


def _learn_digits(asked: Asked) -> Reached:
    images, labels, parts = shifted(*digits())
    if asked.task.name.startswith("permuted"):
        images = permuted(images)
    return _learn(asked, table(images, labels, parts))


def _learn_fashion(asked: Asked) -> Reached:
    assert asked.path is not None, "asked for before"
    images, labels, parts = fashion(asked.path)
    if asked.task.name.startswith("permuted"):
        images = permuted(pooled(images))
    return _learn(asked, table(images, labels, parts))


def _learn(asked: Asked, rows: pl.DataFrame) -> Reached:
    return learn(
        rows,
        asked,
        "accuracy",
        sequence="image",
        time="step",
        target="label",
        split="part",
        schedule="cosine",
    )


_GUESS = Known("one class for all", 1 / _CLASSES)
_RIDGE = Known("ridge on all pixels at once", 0.884)
_RIDGE_SHIFTED = Known("ridge on these and the shifted ones", 0.825)
_COOIJMANS = "Cooijmans et al. 2017, MNIST, 784 steps"
_TCN = "Bai, Kolter & Koltun 2018, MNIST, 784 steps"
_SEQUENTIAL = (
    Known("tanh RNN", 0.350, _COOIJMANS),
    Known("iRNN", 0.970, _COOIJMANS),
    Known("LSTM", 0.989, _COOIJMANS),
    Known("GRU", 0.962, _TCN),
    Known("TCN", 0.990, _TCN),
)
_PERMUTED = (
    Known("tanh RNN", 0.350, _COOIJMANS),
    Known("iRNN", 0.820, _COOIJMANS),
    Known("LSTM", 0.902, _COOIJMANS),
    Known("GRU", 0.873, _TCN),
    Known("TCN", 0.972, _TCN),
)
_RECIPE = Recipe(
    cell="lstm",
    hidden_size=128,
    num_layers=1,
    init="default",
    learning_rate=1e-2,
    clip=1.0,
    zoneout=0.3,
    batch_size=64,
    epochs=40,
    patience=40,
)
_FASHION = Recipe(
    cell="gru",
    hidden_size=128,
    num_layers=1,
    init="default",
    learning_rate=2e-3,
    clip=1.0,
    batch_size=128,
    epochs=5,
    patience=5,
)

DIGITS: Final = Task(
    name="digits",
    title="8×8 digits, pixel by pixel",
    definition=__doc__ or "",
    measure=Measure("accuracy", 0.93, more=True),
    floors=(_GUESS, _RIDGE, _RIDGE_SHIFTED),
    published=_SEQUENTIAL,
    # With a larger step width what is rounded differently grows too fast to compare.
    recipe=replace(_RECIPE, learning_rate=7e-3),
    learn=_learn_digits,
)
PERMUTED_DIGITS: Final = Task(
    name="permuted-digits",
    title="8×8 digits, pixel by pixel in an order that was drawn",
    definition=__doc__ or "",
    measure=Measure("accuracy", 0.93, more=True),
    floors=(_GUESS, _RIDGE, _RIDGE_SHIFTED),
    published=_PERMUTED,
    recipe=_RECIPE,
    learn=_learn_digits,
)
FASHION_ROWS: Final = Task(
    name="fashion-rows",
    title="Fashion-MNIST, row by row",
    definition=__doc__ or "",
    measure=Measure("accuracy", 0.88, more=True),
    floors=(_GUESS,),
    published=(),
    recipe=_FASHION,
    learn=_learn_fashion,
    data="a folder with Fashion-MNIST's four files",
)
PERMUTED_FASHION: Final = Task(
    name="permuted-fashion",
    title="Fashion-MNIST, means of 4×4 pixels in an order that was drawn",
    definition=__doc__ or "",
    measure=Measure("accuracy", 0.80, more=True),
    floors=(_GUESS,),
    published=(),
    recipe=_FASHION,
    learn=_learn_fashion,
    data="a folder with Fashion-MNIST's four files",
)
