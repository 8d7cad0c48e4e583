"""Text files into symbols and back, and every way a file can be wrong."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from throughtime import errors
from throughtime.data import (
    UNKNOWN,
    Reading,
    TextDataset,
    decode,
    encode,
    load,
    read,
    read_text,
    text_dataset,
)

TEXT = "abba cabbage " * 40


def write(folder: Path, content: bytes | str) -> Path:
    path = folder / "own.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_is_split_in_blocks(tmp_path: Path, kind: type) -> None:
    dataset = load(kind(write(tmp_path, TEXT)))
    assert isinstance(dataset, TextDataset)
    assert dataset.splits == {
        "train": (range(234), range(260, 494)),
        "validation": (range(234, 260),),
        "test": (range(494, 520),),
    }
    parts = {
        split: decode(dataset.part(split), dataset.vocabulary)
        for split in dataset.splits
    }
    assert parts == {
        "train": TEXT[:234] + TEXT[260:494],
        "validation": TEXT[234:260],
        "test": TEXT[494:],
    }
    assert "520 characters" in str(dataset.card)
    assert "same works" in str(dataset.card)


@given(st.integers(40, 400) | st.integers(90_000, 410_000))
@example(99_999)
@example(100_000)
@example(199_999)
@example(200_000)
def test_every_symbol_is_in_one_part_and_each_predicts(length: int) -> None:
    dataset = text_dataset(("ab" * length)[:length], "letters")
    # Each symbol on its own: the block it is in, by the rule as it is written down.
    blocks = 20 * max(1, length // (20 * 5000))
    sizes = np.diff(np.arange(blocks + 1) * length // blocks)
    block = np.repeat(np.arange(blocks), sizes)
    assert sizes.max() - sizes.min() <= 1
    places = np.arange(length)
    for split, chosen in [
        ("train", (block % 20 != 9) & (block % 20 != 19)),
        ("validation", block % 20 == 9),
        ("test", block % 20 == 19),
    ]:
        found = np.concatenate([np.asarray(r) for r in dataset.splits[split]])
        assert np.array_equal(found, places[chosen])
        assert np.array_equal(dataset.part(split), dataset.symbols[chosen])
        assert len(found) >= 2


def test_a_text_is_split_in_time_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("ab" * 500)
    dataset = read(path, Reading(split="time"))
    assert dataset.splits == {
        "train": (range(900),),
        "validation": (range(900, 950),),
        "test": (range(950, 1000),),
    }
    with pytest.raises(
        errors.UnknownSplit, match="split='sequence' is no split of the text"
    ):
        read(path, Reading(split="sequence"))
    with pytest.raises(errors.UnusedSetting, match="split"):
        read("shakespeare", Reading(split="time"))


def test_the_vocabulary_is_that_of_training_alone(tmp_path: Path) -> None:
    # 100 characters: 45 training, 5 validation, 45 training, 5 test.
    half = "ba" * 22 + "b"
    dataset = load(write(tmp_path, half + "abcde" + half + "aéa漢é"))
    assert isinstance(dataset, TextDataset)
    assert dataset.vocabulary == (UNKNOWN, "a", "b")
    assert [dataset.unknown(part) for part in dataset.splits] == [0, 3, 3]
    assert dataset.part("test").tolist() == [1, 0, 1, 0, 0]
    assert decode(dataset.part("test"), dataset.vocabulary) == "a\ufffda\ufffd\ufffd"


@given(st.text(), st.text(min_size=1))
def test_encode_is_a_search_for_each_character(text: str, known: str) -> None:
    vocabulary = (UNKNOWN, *dict.fromkeys(known))  # in no particular order
    symbols = encode(text, vocabulary)
    expected = [
        vocabulary.index(character) if character in known else 0 for character in text
    ]
    assert symbols.dtype == np.int64
    assert symbols.tolist() == expected


@given(st.text(min_size=1))
def test_decode_undoes_encode(text: str) -> None:
    vocabulary = (UNKNOWN, *sorted(set(text)))
    assert decode(encode(text, vocabulary), vocabulary) == text


def test_a_lone_surrogate_is_an_unseen_character() -> None:
    assert encode("a\ud800", (UNKNOWN, "a")).tolist() == [1, 0]


@pytest.mark.parametrize("symbol", [-1, 2])
def test_decode_refuses_what_is_no_symbol(symbol: int) -> None:
    with pytest.raises(errors.SymbolOutsideVocabulary, match="expected 0 to 1"):
        decode([symbol], (UNKNOWN, "a"))


def test_line_ends_stay_and_a_byte_order_mark_goes(tmp_path: Path) -> None:
    assert read_text(write(tmp_path, b"\xef\xbb\xbfa\r\nb\n")) == "a\r\nb\n"


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"", errors.EmptyFile, "is empty"),
        (b"\xef\xbb\xbf", errors.EmptyFile, "is empty"),
        (b"caf\xe9 au lait", errors.NotUTF8, "byte 3"),
        ("text".encode("utf-16"), errors.NotUTF8, "byte 0"),
        (b"a", errors.OneSymbolText, "one symbol only, 'a'"),
        (b"a" * 1000, errors.OneSymbolText, "one symbol only, 'a'"),
        (b"a" * 95 + b"bcdef", errors.OneSymbolText, "training part"),
        (b"ab" * 19 + b"a", errors.TextTooShort, "39 characters, expected at least 40"),
    ],
)
def test_a_useless_file_is_refused(
    tmp_path: Path, content: bytes, error: type[Exception], says: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(error, match=says) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_forty_characters_are_enough(tmp_path: Path) -> None:
    dataset = load(write(tmp_path, "ab" * 20))
    assert [len(dataset.part(part)) for part in dataset.splits] == [36, 2, 2]


@pytest.mark.parametrize("name", ["absent.txt", "folder/absent", "own.txt/inside"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, TEXT)
    with pytest.raises(errors.MissingFile, match=name):
        load(str(tmp_path / name))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.FolderGiven, match="is a folder"):
        load(tmp_path)


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="needs a file that exists, unreadable"
)
def test_an_unreadable_file_is_refused_with_its_reason() -> None:
    with pytest.raises(errors.UnreadableFile, match="error"):
        load("/proc/self/mem")


@pytest.mark.parametrize("name", ["nonsense", "", "n" * 5000])
def test_a_name_that_is_nothing_lists_what_there_is(name: str) -> None:
    with pytest.raises(errors.UnknownDataSet, match="shakespeare, spoken-digits"):
        load(name)


@pytest.mark.parametrize("name", ["n" * 5000 + ".txt", "with\0zero.txt"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(errors.UnreadableFile):
        load(name)


@pytest.mark.parametrize("given", [3, None, [1.0, 2.0], b"bytes.txt"])
def test_what_is_no_name_is_refused(given: object) -> None:
    with pytest.raises(errors.NotADataSource, match=type(given).__name__):
        load(given)


def test_a_bundled_name_comes_before_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shakespeare").write_text(TEXT)
    (tmp_path / "mine").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert load("shakespeare").card.licence == "public domain"
    assert load("./shakespeare").card.licence == "not stated"
    assert load(Path("shakespeare")).card.licence == "not stated"
    assert load("mine").card.licence == "not stated"
