"""Options from a file: a run is repeated from its own `config.toml`."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import throughtime as tt
from throughtime.cli import main

QUICK = "--hidden-size 6 --epochs 2 --threads 1 --layers 2 --clip 0.5 --seed 3".split()


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over a dog.\n" * 20)
    return tmp_path


def weights(run: str) -> bytes:
    return Path(run, "model.safetensors").read_bytes()


def test_a_run_is_repeated_from_its_configuration(folder: Path) -> None:
    first = call("train", "text.txt", "--cell", "gru", *QUICK, "--out", "first")
    assert first.exit_code == 0, first.output
    text = Path("first/config.toml").read_text()
    assert "out" not in [line.split(" ")[0] for line in text.splitlines()]
    assert 'cell = "gru"' in text
    again = call("train", "--config", "first/config.toml", "--out", "again")
    assert again.exit_code == 0, again.output
    assert weights("first") == weights("again")
    assert Path("again/config.toml").read_text() == text


def test_what_is_given_beside_the_file_comes_first(folder: Path) -> None:
    Path("my.toml").write_text('data = "text.txt"\nhidden-size = 4\nepochs = 1\n')
    done = call("train", "--config", "my.toml", "--hidden-size", "5", "--out", "run")
    assert done.exit_code == 0, done.output
    assert "hidden_size = 5" in Path("run/config.toml").read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("hiden_size = 3", ["'hiden_size'", "did you mean 'hidden_size'?", "my.toml"]),
        ('out = "x"', ["'out'", "not known"]),
        ("resume = true", ["'resume'", "but for --out, --resume, --json"]),
        ("epochs = 1\nclip = \nseed = 2", ["my.toml", "line 2"]),
        ('epochs = "many"', ["epochs = 'many'", "my.toml", "a whole number"]),
        ("epochs = 1.5", ["epochs = 1.5", "a whole number"]),
        ("epochs = true", ["epochs = True", "a whole number"]),
        ("epochs = [1]", ["epochs = [1]", "a whole number"]),
        ("clip = [1]", ["clip = [1]", "a number"]),
        ("bidirectional = 3", ["bidirectional = 3", "true or false"]),
        ("features = 3", ["features = 3", "a list of texts"]),
        ("features = [1, 2]", ["features = [1, 2]", "a list of texts"]),
        ("sequence = ['id']", ["sequence = ['id']", "a text"]),
        ("inputs = ['s=x']", ["inputs = ['s=x']", "a table of NAME = COLUMN"]),
        ("difference = 1.5", ["difference = 1.5", "a whole number"]),
        ("class_weights = 3", ["= 3", "a table of numbers"]),
    ],
)
def test_a_file_that_cannot_be_obeyed(content: str, words: list[str]) -> None:
    Path("my.toml").write_text(content)
    refused = call("train", "text.txt", "--config", "my.toml")
    assert refused.exit_code == 2
    for word in words:
        assert word in refused.output


def test_a_missing_file() -> None:
    refused = call("train", "text.txt", "--config", "none.toml")
    assert refused.exit_code == 2
    assert "There is no file 'none.toml'" in refused.output


def test_python_says_its_cell_where_the_class_alone_makes_it(tmp_path: Path) -> None:
    def configuration(cell: tt.Cell, name: str) -> str:
        run = tt.fit(cell, "text.txt", hidden_size=4, epochs=1, out=name)
        return (run.path / "config.toml").read_text()

    assert 'cell = "LSTM"' in configuration(tt.cells.LSTM(), "a")
    assert "cell = " not in configuration(tt.cells.Elman("relu"), "b")
    done = call("train", "--config", "a/config.toml", "--out", "c")
    assert done.exit_code == 0, done.output
    assert weights("a") == weights("c")
