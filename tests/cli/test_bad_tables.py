"""Bad input on the command line: exit code 2, one sentence, what and where."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from throughtime.cli import main

ROWS = 20 * 6
COLUMNS = "--sequence id --time t --features x,k --target y".split()
FORECAST = "--sequence id --time t --features x".split()
QUICK = "--hidden-size 4 --epochs 1 --threads 1 --quiet".split()
HERE = (pl.col("id") == 3) & (pl.col("t") == 2)  # row 21


def table() -> pl.DataFrame:
    draw = np.random.default_rng(0)
    sequence = np.repeat(np.arange(20), 6)
    columns = {"id": sequence, "t": np.tile(np.arange(6), 20)}
    columns |= {"x": draw.standard_normal(ROWS), "v": draw.standard_normal(ROWS)}
    columns["k"] = np.array(["red", "green"])[draw.integers(0, 2, ROWS)]
    return pl.DataFrame({**columns, "y": np.array(["a", "b"])[sequence % 2]})


def here(name: str, value: object) -> pl.DataFrame:
    return table().with_columns(pl.when(HERE).then(value).otherwise(name).alias(name))


def whole(name: str, value: object) -> pl.DataFrame:
    return table().with_columns(pl.lit(value).alias(name))


def parquet() -> bytes:
    table().write_parquet("whole.parquet")
    return Path("whole.parquet").read_bytes()


def text_here() -> str:
    lines = table().write_csv().splitlines()
    fields = lines[21].split(",")
    lines[21] = ",".join([*fields[:2], "abc", *fields[3:]])
    return "\n".join(lines)


FILES = {
    "good.csv": table,
    "empty.csv": lambda: b"",
    "head.csv": lambda: "id,t,x,k,y\n",
    "text.csv": text_here,
    "gap.csv": lambda: here("x", None),
    "nan.csv": lambda: here("x", float("nan")),
    "inf.csv": lambda: here("x", float("inf")),
    "one.csv": lambda: whole("y", "a"),
    "twice.csv": lambda: table().with_columns(t=pl.col("t").clip(0, 4)),
    "cut.parquet": lambda: parquet()[:900],
    "latin.csv": lambda: whole("k", "é").write_csv().encode("latin1"),
    "three.csv": lambda: table().head(3),
    "more.csv": lambda: here("y", pl.lit("c")),
    "hole.csv": lambda: here("y", None),
    "without.csv": lambda: table().drop("x"),
    "words.csv": lambda: whole("x", "word"),
    "keyless.csv": lambda: table().drop("id"),
    "note": lambda: "a text",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files, and a run of the good one."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, make in FILES.items():
            content = make()
            if isinstance(content, pl.DataFrame):
                content = content.write_csv()
            content = content.encode() if isinstance(content, str) else content
            Path(name).write_bytes(content)
        done = call("train", "good.csv", *COLUMNS, *QUICK, "--out", "run")
        assert done.exit_code == 0, done.output
        shutil.copytree("run", "half")
        Path("half/command.txt").unlink()
        Path("tables").mkdir()
    return folder


@pytest.fixture(autouse=True)
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


TRAIN = {
    "none.csv": ["no file 'none.csv'"],
    "empty.csv": ["'empty.csv' is empty"],
    "head.csv": ["head.csv has no rows"],
    "tables": ["tables holds no file"],
    "text.csv": ["text.csv, row 21, column 'x' holds 'abc'"],
    "gap.csv": ["gap.csv, row 21, column 'x' has no value", "--missing 'forward'"],
    "nan.csv": ["nan.csv, row 21, column 'x' has no value", "--missing 'forward'"],
    "inf.csv": ["inf.csv, row 21, column 'x' is infinite"],
    "one.csv": ["Column 'y' has the one value 'a'"],
    "twice.csv": ["time 4 twice in sequence '0' (its rows 5 and 6)"],
    "cut.parquet": ["cut.parquet cannot be read as Parquet", "check that it is whole"],
    "latin.csv": ["'latin.csv' is not UTF-8", "iconv"],
    "three.csv": ["three.csv has 1 sequences", "at least 10"],
    "good.csv --target z": ["'z', which is no column of good.csv"],
    "good.csv --sequence idd": ["did you mean 'id'"],
    "good.csv --features x,y": ["'y' is given as --target and as --features"],
    "good.csv --input s=v": ["'s', expected an Input of LSTM"],
    "good.csv --input s=zz": ["'zz', which is no column"],
    "good.csv --input s": ["'s' is not NAME=COLUMN"],
    "good.csv --task regress": ["column 'y' holds text"],
    "good.csv --task classify --target v": ["no whole numbers"],
    "good.csv --task sing": ["--task 'sing'"],
    "good.csv --per sequence --target v": ["'v' changes within sequence '0'"],
    "good.csv --target y,v": ["'y' category, 'v' number"],
    "good.csv --missing median": ["--missing 'median'"],
    "good.csv --class-weights c=2": ["--class-weights 'c' is not known"],
    "good.csv --split-seed -1": ["--split-seed -1"],
    "good.csv --memory much": ["--memory 'much'"],
    "good.csv --out run": ["holds something already"],
}
AHEAD = {
    "--horizon 0": ["--horizon 0"],
    "--horizon 6": ["--horizon 6", "7 steps", "train of 'good.csv' has at most 6"],
    "--difference 6": ["--difference 6", "7 steps", "at most 6"],
    "--horizon 4 --steps 4": ["--horizon 4", "at most 4"],
}
PREDICT = {
    "none.csv": ["no file 'none.csv'"],
    "empty.csv": ["'empty.csv' is empty"],
    "without.csv": ["without.csv has no column 'x'"],
    "keyless.csv": ["keyless.csv has no column 'id'"],
    "words.csv": ["words.csv, row 1, column 'x' holds 'word'"],
    "gap.csv": ["row 21, column 'x' has no value", "a model that was trained with"],
    "inf.csv": ["row 21, column 'x' is infinite"],
    "twice.csv": ["twice in sequence '0'"],
    "cut.parquet": ["cut.parquet cannot be read"],
    "note": ["note holds files that are no one table"],
    "good.csv --out answers.xls": ["'answers.xls' names no format"],
    "good.csv --out none/answers.csv": ["'none/answers.csv' cannot be written"],
    "good.csv --out good.csv": ["is a file of the data that are read"],
}
OTHERS = {
    "evaluate run more.csv": ["more.csv, row 21, column 'y' has the class 'c'"],
    "evaluate run hole.csv": ["hole.csv, row 21, column 'y' has no value"],
    "evaluate run good.csv --split train": ["--split 'train'", "measured as a whole"],
    "evaluate run good.csv --data gap.csv": ["--data 'gap.csv'", "leave --data out"],
    "evaluate run --picture a.doc": ["'a.doc' names no format", ".png"],
    "inspect run --target y": ["--target ('y',)", "leave --target out"],
    "inspect half": ["half/command.txt"],
    "inspect none": ["'none' is neither a bundled data set nor a file"],
}
SAID = {
    **{("train", words, *COLUMNS, *QUICK): says for words, says in TRAIN.items()},
    **{
        ("train", f"good.csv {words}", *FORECAST, *QUICK): says
        for words, says in AHEAD.items()
    },
    **{("predict run", w, "--out", "answers.csv"): s for w, s in PREDICT.items()},
    **{(words,): says for words, says in OTHERS.items()},
}


@pytest.mark.parametrize("words", SAID, ids=lambda words: " ".join(words[:2]))
def test_it_is_refused_in_one_sentence(words: tuple[str, ...]) -> None:
    command, *rest = words
    # What is given for the case comes last, and so before the usual.
    case = rest.pop(0).split() if rest else []
    told = call(*command.split(), *case[:1], *rest, *case[1:])
    assert told.exit_code == 2, told.output
    assert isinstance(told.exception, SystemExit)
    for part in SAID[words]:
        assert part in told.stderr
    assert Path("good.csv").read_text() == table().write_csv()
    assert not Path("answers.csv").exists()
