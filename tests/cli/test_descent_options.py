"""How weights start, change and are held back, from the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from throughtime.cli import main

QUICK = "--hidden-size 6 --epochs 2 --threads 1 --batch-size 2 --quiet".split()
EVERYTHING = [
    *"--optimizer AdamW --weight-decay 0.1 --optimizer-option betas=0.8,0.9".split(),
    *"--optimizer-option amsgrad=true --optimizer-option eps=1e-6".split(),
    *"--schedule step --schedule-factor 0.5 --schedule-epochs 1 --warmup 3".split(),
    *"--clip 0.5 --clip-value 0.1 --accumulate 3".split(),
    *"--average ema --ema-decay 0.9 --init orthogonal --forget-bias 1".split(),
    *"--zoneout h=0.1,c=0.2 --drop-connect 0.1 --variational-dropout 0.1".split(),
    *"--k-winners 4 --activity-l1 0.01 --flow-penalty 0.5".split(),
    *"--flossing 2 --flossing-every 1".split(),
]


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over a dog.\n" * 20)
    return tmp_path


def test_all_of_it_is_repeated_from_its_configuration() -> None:
    first = call("train", "text.txt", *QUICK, *EVERYTHING, "--out", "first")
    assert first.exit_code == 0, first.output
    text = Path("first/config.toml").read_text()
    for line in [
        'optimizer = "adamw"',
        "accumulate = 3",
        "[optimizer_options]",
        "amsgrad = true",
        "[zoneout]",
        "variational_dropout = 0.1",
        "k_winners = 4",
        "activity_l1 = 0.01",
        "flossing = 2",
        "flossing_every = 1",
        "flow_penalty = 0.5",
    ]:
        assert line in text
    again = call("train", "--config", "first/config.toml", "--out", "again")
    assert again.exit_code == 0, again.output
    assert Path("again/config.toml").read_text() == text
    files = [Path(run, "model.safetensors").read_bytes() for run in ("first", "again")]
    assert files[0] == files[1]
    shown = call("inspect", "first")
    assert "Zoneout" in shown.output
    best = json.loads(call("inspect", "first", "--json").stdout)["best"]
    course = best["zero_fraction_by_step"]
    assert course["first"][:2] == [0, 1]
    assert course["layers"] == [pytest.approx([2 / 6] * len(course["first"]))]


def test_a_schedule_of_torch_is_repeated_from_its_configuration() -> None:
    asked = "--schedule MultiStepLR --schedule-option milestones=1,5 --clip 0"
    first = call("train", "text.txt", *QUICK, *asked.split(), "--out", "first")
    assert first.exit_code == 0, first.output
    text = Path("first/config.toml").read_text()
    assert 'schedule = "multisteplr"' in text
    assert "[schedule_options]\nmilestones = [\n    1,\n    5,\n]" in text
    again = call("train", "--config", "first/config.toml", "--out", "again")
    assert again.exit_code == 0, again.output
    files = [Path(run, "model.safetensors").read_bytes() for run in ("first", "again")]
    assert files[0] == files[1]


def test_penalties_are_repeated_from_their_configuration() -> None:
    asked = "--optimizer lazy-adagrad --l1 1e-3 --l2 1e-4 --optimizer-option eps=1e-8"
    first = call("train", "text.txt", *QUICK, *asked.split(), "--out", "first")
    assert first.exit_code == 0, first.output
    text = Path("first/config.toml").read_text()
    for line in ('optimizer = "lazy-adagrad"', "l1 = 0.001", 'schedule = "constant"'):
        assert line in text
    again = call("train", "--config", "first/config.toml", "--out", "again")
    assert again.exit_code == 0, again.output
    files = [Path(run, "model.safetensors").read_bytes() for run in ("first", "again")]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--l1 0.1", "--l1 0.1 does not fit --optimizer 'adam'"),
        ("--optimizer lazyfobos --momentum 0.9", "--momentum 0.9 does not fit"),
        ("--optimizer lazy-adagrad --schedule cosine", "settles every row"),
        ("--optimizer adagard", "did you mean 'adagrad'?"),
        ("--optimizer lbfgs", "it computes the loss several times for one step"),
        ("--optimizer-option betas", "'betas' is not NAME=VALUE"),
        ("--optimizer-option beta=0.9,0.9", "did you mean 'betas'?"),
        ("--optimizer-option eps=small", "--optimizer-option eps=small does not fit"),
        ("--zoneout h=much", "is no number, nor NAME=NUMBER"),
        ("--k-winners few", "'few' is no number of units, nor a share"),
        ("--k-winners 7", "k is 7, but the output of"),
        ("--activity-l1 -1", "--activity-l1 -1.0, expected a finite number of at"),
        ("--k-winners 1.5", "k is 1.5; give a whole number"),
        ("--zoneout k=0.1", "LSTM has no state 'k'"),
        ("--cell elman --forget-bias 1", "--forget-bias 1.0 is asked of Elman"),
        ("--optimizer sgd --learning-rate 1e39", "--learning-rate 1e+39 does not fit"),
        ("--schedule cosinus", "did you mean 'cosine'?"),
        ("--schedule lambdalr", "it takes a function, and no option can hold one"),
        ("--schedule-option T_max=3", "expected none for --schedule 'cosine'"),
        ("--schedule steplr", "--schedule-option lacks step_size"),
        ("--warmup 9999", "--warmup 9999, expected a whole number of at most"),
        ("--accumulate 9999", "--accumulate 9999, expected a whole number of at most"),
        ("--average mean", "--average 'mean' is not known"),
    ],
)
def test_what_cannot_be_obeyed(words: str, said: str) -> None:
    refused = call("train", "text.txt", *QUICK, *words.split(), "--out", "run")
    assert refused.exit_code == 2
    assert said in refused.output
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("optimizer_options = 3", "a table of NAME = VALUE"),
        ('k_winners = "few"', "a number"),
        ("zoneout = true", "a number or a table of numbers"),
        ("accumulate = 1.5", "a whole number"),
    ],
)
def test_a_file_that_cannot_be_obeyed(content: str, said: str) -> None:
    Path("my.toml").write_text(content)
    refused = call("train", "text.txt", "--config", "my.toml")
    assert refused.exit_code == 2
    assert said in refused.output
