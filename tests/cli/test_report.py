"""`throughtime report`, and `--watch`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from throughtime.cli import main

TEXT = "the quick brown fox jumps over the lazy dog.\n"
QUICK = "--hidden-size 6 --epochs 2 --threads 1".split()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reported")
    (folder / "fox.txt").write_text(TEXT * 30)
    out = folder / "run"
    words = ["train", str(folder / "fox.txt"), *QUICK, "--out", str(out)]
    assert CliRunner().invoke(main, words).exit_code == 0
    return out


def test_it_says_where_the_page_is(run: Path) -> None:
    result = CliRunner().invoke(main, ["report", str(run)])
    assert result.exit_code == 0
    assert result.stdout == f"report: {run / 'report.html'}\n"
    assert "bits per character" in (run / "report.html").read_text(encoding="utf-8")


def test_several_runs_go_into_a_file_of_ones_choice(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "both.html"
    result = CliRunner().invoke(
        main, ["report", str(run), str(run), "--output", str(page)]
    )
    assert result.exit_code == 0
    assert "2 runs side by side" in page.read_text(encoding="utf-8")


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: '{tmp_path}' is not a run folder")
    assert CliRunner().invoke(main, ["report"]).exit_code == 2


def test_an_unknown_kind_of_watching_is_refused(tmp_path: Path) -> None:
    words = ["train", "co2", "--watch", "lve", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "did you mean 'live'?" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_live_page_is_announced_and_ends_with_the_training(run: Path) -> None:
    data, out = run.parent / "fox.txt", run.parent / "watched"
    command = [sys.executable, "-m", "throughtime", "train", str(data), *QUICK]
    command += ["--watch", "live", "--out", str(out)]
    answer = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=100
    )
    assert re.search(r"^live page: http://127\.0\.0\.1:\d+/$", answer.stderr, re.M)
    assert (out / "model.safetensors").exists()
