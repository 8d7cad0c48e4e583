"""svmlight files: a line for each step, its items as they are written."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.events import matrix
from tests.data.tables import dataset_of
from throughtime import errors
from throughtime.data import Reading, read_like


def lines(count: int = 30) -> str:
    """Two steps for each of some sequences; the second names one item alone."""
    made = []
    for number in range(count):
        first = 3 + number % 2
        made += [
            f"{number % 2} qid:{number + 1} {first}:0.5 10:{number}.25 # of 1",
            f"{number % 2} qid:{number + 1} 2:1",
        ]
    return "\n".join(made) + "\n"


@pytest.mark.parametrize("ending", ["svm", "svmlight", "libsvm"])
def test_lines_of_one_query_are_a_sequence(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"data.{ending}"
    file.write_text(lines())
    dataset = dataset_of(file)
    assert dataset.question.task == "classify"
    assert dataset.question.per == "sequence"
    assert dataset.schema.items[0].categories == ("10", "2", "3", "4")
    assert dataset.items is not None
    place = list(dataset.keys).index("4")
    found = matrix(dataset.items, place, 0, 2)
    assert found.tolist() == [[3.25, 0, 0, 0.5], [0, 1, 0, 0]]
    new = read_like(file, dataset.schema, dataset.question, Reading(), targets=True)
    assert new.dataset.items is not None
    again = matrix(new.dataset.items, place, 0, 2)
    assert np.array_equal(again, found)


def test_without_queries_every_line_is_a_sequence(tmp_path: Path) -> None:
    file = tmp_path / "data.svm"
    file.write_text("".join(f"{k % 2} {1 + k % 3}:1\n" for k in range(20)) + "1\n0\n")
    dataset = dataset_of(file)
    assert dataset.frames.lengths.tolist() == [1] * 22
    assert dataset.items is not None
    assert not matrix(dataset.items, 21, 0, 1).any()  # a line that names nothing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 qid:1 -3:1\n", "-3"),
        ("1 qid:1 5:1 3:1\n", "sorted"),
        ("1 qid:1 5:1 5:2\n", "sorted"),
        ("1 qid:1 5:one\n", "one"),
        ("1 qid:1 99999999999999:1\n", ""),
        ("1 qid:1 3:1\n1 4:1\n", "some have none"),
    ],
)
def test_other_lines_are_refused(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "data.svm"
    file.write_text(text)
    with pytest.raises(errors.NotATable, match="svmlight") as caught:
        dataset_of(file)
    assert words in str(caught.value)


def test_a_value_that_is_no_number_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.svm"
    file.write_text(lines() + "1 qid:99\n1 qid:99 3:nan\n")
    with pytest.raises(errors.ValueMissing, match="step 62 of all"):
        dataset_of(file)
    file.write_text(lines() + "1 qid:99 3:inf\n")
    with pytest.raises(errors.InfiniteValue):
        dataset_of(file)


def test_new_lines_may_name_nothing(tmp_path: Path) -> None:
    file = tmp_path / "data.svm"
    file.write_text(lines())
    dataset = dataset_of(file)
    file.write_text(lines(2) + "1 qid:9\n")
    new = read_like(file, dataset.schema, dataset.question, Reading())
    assert new.dataset.items is not None
    assert not matrix(new.dataset.items, 2, 0, 1).any()


def test_one_query_is_one_sequence_whatever_its_number(tmp_path: Path) -> None:
    file = tmp_path / "data.svm"
    file.write_text("".join(f"{k % 2} qid:0 {k % 3}:1\n" for k in range(40)))
    assert dataset_of(file).frames.lengths.tolist() == [40]


def test_what_the_file_says_is_not_said_again(tmp_path: Path) -> None:
    file = tmp_path / "data.svm"
    file.write_text(lines())
    for argument in ("sequence", "time", "items", "target"):
        with pytest.raises(errors.UnusedSetting, match=argument):
            dataset_of(file, **{argument: "item"})
