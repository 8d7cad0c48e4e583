"""Words of a command that cannot be read: one sentence that names them."""

import pytest
from click.testing import CliRunner, Result

from throughtime.cli import main


def call(words: str) -> Result:
    return CliRunner().invoke(main, words.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train x --hiden-size 3", "--hiden-size is no option of `throughtime train`"),
        ("train x --hiden-size 3", "(did you mean '--hidden-size'?)"),
        ("train", "`throughtime train` is given no DATA, expected one"),
        ("evaluate", "`throughtime evaluate` is given no RUN, expected one"),
        ("inspect", "is given no RUN|DATA"),
        ("train x y", "is given 'y' as well, expected DATA alone"),
        ("evaluate a b c", "is given 'c' as well, expected RUN and DATA alone"),
        ("train x --epochs few", "--epochs 'few', expected a whole number"),
        ("train x --clip few", "--clip 'few', expected a number"),
        ("sample r --temperature z", "--temperature 'z', expected a number"),
        ("train x --epochs", "--epochs has no value, expected a whole number"),
        ("train x --split", "--split has no value, expected sequence|time|COLUMN"),
        ("predict r x --out", "--out has no value, expected a path"),
        ("train x --quiet=3", "--quiet is given a value, expected none"),
        ("predict r x", "--out is left out, expected it (Where to write"),
        ("trian x", "'trian' is no command (did you mean 'train'?)"),
        ("--threads 3", "--threads is no option of `throughtime`"),
        ("train x --input gap", "--input: 'gap' is not NAME=COLUMN"),
        ("train x --difference week", "--difference: 'week' is no number of steps"),
    ],
)
def test_a_line_that_cannot_be_read_is_one_sentence(words: str, told: str) -> None:
    result = call(words)
    assert result.exit_code == 2
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("Error: ")
    assert told in sentence
    assert sentence.endswith(".")
    assert ". " not in sentence.removesuffix(".").replace("write: .", "")


def test_help_comes_as_before() -> None:
    assert call("train --help").exit_code == 0
    alone = call("")
    assert "Usage" in alone.output
    assert "Error" not in alone.output
