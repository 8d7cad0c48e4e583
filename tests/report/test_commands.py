"""Commands that the page gives to be copied."""

from dataclasses import replace
from pathlib import Path

import pytest

from throughtime.report.commands import again, diagnose
from throughtime.report.reading import RunFolder, read_run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> RunFolder:
    return replace(read_run(trained), path=tmp_path / "first")


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        ("a.csv --out first", "--clip 1", "a.csv --clip 1 --out first-2"),
        ("a.csv --out=runs/first", "--clip 1", "a.csv --clip 1 --out runs/first-2"),
        (
            "a.csv --init default --out first --quiet",
            "--init orthogonal",
            "a.csv --quiet --init orthogonal --out first-2",
        ),
        ("--clip=5 a.csv --out first", "--clip 1", "a.csv --clip 1 --out first-2"),
        (
            "'two words.csv' --out first --resume",
            "--watch gradients",
            "'two words.csv' --watch gradients --out first-2",
        ),
        ("--out first --resume a.csv", "--clip 1", "a.csv --clip 1 --out first-2"),
    ],
)
def test_a_remedy_is_the_whole_command_into_a_new_folder(
    run: RunFolder, command: str, options: str, expected: str
) -> None:
    made = replace(run, command=f"throughtime train {command}")
    assert again(made, options) == f"throughtime train {expected}"


def test_a_folder_that_is_there_is_not_named(run: RunFolder) -> None:
    (run.path.parent / "first-2").mkdir()
    made = replace(run, command="throughtime train a.csv --out first")
    assert again(made, "--clip 1") == "throughtime train a.csv --clip 1 --out first-3"
    second = replace(made, command="throughtime train a.csv --out first-2")
    assert again(second, "--clip 1") == "throughtime train a.csv --clip 1 --out first-3"


def test_a_run_without_a_folder_of_its_own_is_made_beside_it(run: RunFolder) -> None:
    made = replace(run, command="throughtime train a.csv")
    assert again(made, "--clip 1") == (
        f"throughtime train a.csv --clip 1 --out {run.path}-2"
    )


def test_a_run_of_python_has_no_command(run: RunFolder) -> None:
    assert run.command.startswith("throughtime.fit(")
    assert again(run, "--clip 1") is None


def test_a_diagnosis_is_of_the_run(run: RunFolder) -> None:
    spaced = replace(run, path=Path("my run"))
    assert diagnose(spaced, "--surface") == "throughtime diagnose 'my run' --surface"
