"""`throughtime lab`: tables for people, numbers for machines, and its mistakes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from matplotlib import image

from throughtime.cli import main
from throughtime.diagnose.lab import EXPERIMENTS


def call(words: str) -> Result:
    return CliRunner().invoke(main, ["lab", *words.split()])


def test_the_list_names_all() -> None:
    result = call("--list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == [*EXPERIMENTS]
    said = json.loads(call("--list --json").stdout)
    assert list(said["experiments"]) == [*EXPERIMENTS]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_tells_title_table_and_sentence(name: str) -> None:
    result = call(name)
    found = EXPERIMENTS[name]()
    assert result.exit_code == 0
    assert result.stderr == ""
    first, *_, last = result.stdout.splitlines()
    assert (first, last) == (found.title, found.sentence)
    headers, rows = found.table()
    table = result.stdout.splitlines()[2:-2]
    assert all(header in table[0] for header in headers)
    assert len(table) == len(rows) + 2
    for line, row in zip(table[2:], rows, strict=True):
        assert line.strip().startswith(str(row[0]))


def test_rounded_numbers_keep_their_zeros() -> None:
    (row,) = (
        line.split()
        for line in call("vanishing --weight 1.1 --activation tanh").stdout.splitlines()
        if line.startswith(" tanh")
    )
    assert row[:6] == "tanh 1.1 0.1426 5.560e-05 3.036e-09 1.378e+04".split()


def test_json_has_the_exact_numbers() -> None:
    result = call("vanishing --weight 0.9 --activation linear --steps 3 --json")
    said = json.loads(result.stdout)
    assert said["experiment"] == "vanishing"
    assert said["picture"] is None
    (course,) = said["courses"]
    assert course["product"] == course["measured"] == [0.9, 0.9 * 0.9, 0.9 * 0.9 * 0.9]
    assert said["title"] in result.stderr


def test_json_says_null_where_numbers_have_become_too_large() -> None:
    result = call("bounds --weight 4 --activation linear --steps 600 --json")
    assert json.loads(result.stdout)["networks"][0]["measured"][-1] is None


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_picture_is_written(tmp_path: Path, name: str) -> None:
    file = tmp_path / "picture.png"
    result = call(f"{name} --picture {file}")
    assert result.stdout.splitlines()[-1] == f"picture: {file}"
    assert image.imread(file).shape[:2] == (570, 1350)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "`throughtime lab` is given no NAME, expected one"),
        ("vanish", "'vanish' is no experiment (did you mean 'vanishing'?), expected"),
        ("vanishing --forget 1", "--forget 1.0, expected none for the experiment"),
        ("carousel --weight 2", "--weight 2.0, expected none for the experiment"),
        ("carousel --activation relu", "leave --activation out"),
        ("--list --steps 3", "--steps 3, expected none for --list"),
        ("vanishing --list", "NAME 'vanishing', expected none for --list"),
        ("bounds --activation tnh", "--activation 'tnh', expected one of linear"),
        ("bounds --steps 0", "--steps 0, expected a whole number from 1 to 2000"),
        ("bounds --weight inf", "--weight inf, expected a finite number"),
        ("carousel --forget 2", "--forget 2.0, expected a number from 0 to 1"),
        ("vanishing --picture x.pdf", "expected one of .png"),
        ("vanishing bounds", "is given 'bounds' as well, expected NAME alone"),
    ],
)
def test_a_mistake_is_one_sentence(words: str, told: str) -> None:
    result = call(words)
    assert result.exit_code == 2
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("Error: ")
    assert told in sentence
    assert sentence.endswith(".")
