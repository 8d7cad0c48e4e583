"""Pixels, chorales and texts: what is read, and what is refused."""

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.io import savemat

from throughtime.baselines import NGram
from throughtime.bench import Engine, find_task, run
from throughtime.bench.chorales import KEYS, to_table
from throughtime.bench.pixels import (
    APART,
    LEARNED,
    digits,
    fashion,
    permuted,
    pooled,
    shifted,
    table,
)
from throughtime.bench.running.task import unheard
from throughtime.bench.texts import kneser_ney
from throughtime.data.text import text_dataset
from throughtime.errors import MissingFile, NotChorales, NotImages

ENGINE = Engine(threads=1)


def test_half_of_the_digits_are_the_test() -> None:
    images, labels, parts = digits()
    assert images.shape == (1797, 64, 1)
    assert len(labels) == len(parts) == 1797
    assert parts.count("test") == 899
    assert set(parts[:LEARNED]) == {"train", "validation"}
    assert set(parts[LEARNED:]) == {"test"}
    assert parts.count("validation") == APART


def test_training_images_are_shifted_to_each_side() -> None:
    images, labels, parts = shifted(*digits())
    own = LEARNED - APART
    assert len(images) == len(labels) == len(parts) == 1797 + 4 * own
    assert parts.count("test") == 899
    first = images[0].reshape(8, 8)
    down, up, right, left = (
        images[1797 + side * own].reshape(8, 8) for side in range(4)
    )
    assert np.array_equal(down[1:], first[:-1]) and not down[0].any()
    assert np.array_equal(up[:-1], first[1:]) and not up[-1].any()
    assert np.array_equal(right[:, 1:], first[:, :-1])
    assert np.array_equal(left[:, :-1], first[:, 1:])
    assert labels[1797] == labels[0]


def test_one_order_for_all_images() -> None:
    images, _, _ = digits()
    mixed = permuted(images)
    assert not np.array_equal(mixed, images)
    for before, after in zip(images[:5], mixed[:5], strict=True):
        assert np.array_equal(np.sort(before, 0), np.sort(after, 0))
    steps = np.arange(64.0)[None, :, None]
    first, again = permuted(steps), permuted(steps.repeat(2, 0))
    assert np.array_equal(first[0], again[1])


def test_a_table_has_a_row_for_each_step() -> None:
    images = np.arange(12.0).reshape(2, 3, 2)
    rows = table(images, np.array([7, 1]), ["train", "test"])
    assert rows.columns == ["pixel0", "pixel1", "image", "step", "part", "label"]
    assert rows.row(3) == (6.0, 7.0, 1, 0, "test", "1")
    assert rows["part"].to_list() == ["train"] * 3 + ["test"] * 3


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim])
    sizes = np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + sizes + array.astype(np.uint8).tobytes())


@pytest.fixture
def clothes(tmp_path: Path) -> Path:
    """As Fashion-MNIST lies on disk, with few images that tell their class at once."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 120), ("t10k", 20)):
        labels = draw.integers(10, size=count)
        images = draw.integers(20, size=(count, 28, 28)) + 20 * labels[:, None, None]
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    return tmp_path


def test_fashion_is_read_as_it_was_written(clothes: Path) -> None:
    images, labels, parts = fashion(str(clothes))
    assert images.shape == (140, 28, 28)
    assert np.array_equal(images[:, 0, 0] // 20, labels)
    assert [parts.count(one) for one in ("train", "validation", "test")] == [
        100,
        20,
        20,
    ]
    means = pooled(images)
    assert means.shape == (140, 49, 1)
    assert means[3, 8, 0] == pytest.approx(images[3, 4:8, 4:8].mean())


@pytest.mark.parametrize("name", ["fashion-rows", "permuted-fashion"])
def test_fashion_is_learned(clothes: Path, name: str) -> None:
    task = find_task(name)
    few = {"hidden_size": 16, "epochs": 10, "learning_rate": 0.01, "batch_size": 10}
    found = run(task, task.recipe.changed(name, few), ENGINE, str(clothes), unheard)
    assert found.value > 0.3
    assert found.updates == 100
    assert len(found.losses) == 50


def test_what_are_no_images_is_refused(clothes: Path) -> None:
    broken = clothes / "t10k-labels-idx1-ubyte.gz"
    for content in (b"", b"no gzip", gzip.compress(b"\0\0\x08\x01\0\0\0\x05ab")):
        broken.write_bytes(content)
        with pytest.raises(NotImages, match="t10k-labels"):
            fashion(str(clothes))
    broken.unlink()
    with pytest.raises(MissingFile, match="t10k-labels"):
        fashion(str(clothes))


@pytest.fixture
def pieces(tmp_path: Path) -> Path:
    """A file as that of the JSB chorales, in which a key sounds every second frame."""
    sounding = np.zeros((12, KEYS))
    sounding[::2, 39] = 1
    stored = {}
    for name, count in (("traindata", 8), ("validdata", 2), ("testdata", 3)):
        rolls = np.empty((1, count), dtype=object)
        for place in range(count):
            rolls[0, place] = sounding[place % 2 :]
        stored[name] = rolls
    path = tmp_path / "JSB_Chorales.mat"
    savemat(path, stored)
    return path


def test_chorales_become_a_table(pieces: Path) -> None:
    rows = to_table(pieces)
    assert rows.columns[:4] == ["piece", "step", "part", "A0"]
    assert rows.columns[-1] == "C8"
    assert rows.filter(pl.col("part") == "test")["piece"].n_unique() == 3
    assert rows["C4"].to_list()[:4] == [True, False, True, False]


def test_chorales_are_learned_from_either_file(pieces: Path, tmp_path: Path) -> None:
    task = find_task("jsb-chorales")
    recipe = task.recipe.changed(task.name, {"hidden_size": 8, "epochs": 2})
    first = run(task, recipe, ENGINE, str(pieces), unheard)
    to_table(pieces).write_parquet(tmp_path / "jsb.parquet")
    second = run(task, recipe, ENGINE, str(tmp_path / "jsb.parquet"), unheard)
    assert first.value == second.value
    assert first.losses == second.losses


def test_what_are_no_chorales_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="JSB"):
        to_table(tmp_path / "JSB.mat")
    (tmp_path / "JSB.mat").write_bytes(b"something else entirely")
    with pytest.raises(NotChorales, match="JSB"):
        to_table(tmp_path / "JSB.mat")
    savemat(tmp_path / "JSB.mat", {"other": np.zeros(3)})
    with pytest.raises(NotChorales, match="traindata"):
        to_table(tmp_path / "JSB.mat")


def test_the_chain_of_a_text_is_that_of_the_baselines() -> None:
    text = "the lazy dog jumps over the quick brown fox and the fox sleeps. " * 60
    dataset = text_dataset(text, "foxes", split="time")
    found = kneser_ney(dataset, longest=4)
    bounds = [dataset.part(part) for part in ("train", "validation", "test")]
    letters = ["".join(dataset.vocabulary[place] for place in one) for one in bounds]
    assert "".join(letters) == text
    chain = NGram(max_order=4).fit(letters[0], validation_data=letters[1])
    assert f"{chain.order_}-gram" in found.method
    assert found.value == pytest.approx(chain.bits_per_symbol(letters[2]), abs=1e-12)


def test_the_goal_of_a_text_is_its_chain(tmp_path: Path) -> None:
    path = tmp_path / "foxes.txt"
    path.write_text("the lazy dog jumps over the quick brown fox. " * 60)
    task = find_task("text")
    few = {"hidden_size": 8, "epochs": 1, "batch_size": 4}
    found = run(task, task.recipe.changed("text", few), ENGINE, str(path), unheard)
    (chain,) = found.floors.items()
    assert chain[0].startswith("Kneser")
    assert found.goal == chain[1]
    assert found.solved == (found.value <= found.goal)
    assert json.dumps(found.losses)
