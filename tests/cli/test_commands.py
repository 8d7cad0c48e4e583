"""The commands: what they print where, and the sentence for every mistake."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import throughtime as tt
from throughtime.cli import main
from throughtime.train import open_run

SENTENCE = "the quick brown fox jumps over the lazy dog.\n"
QUICK = "--hidden-size 6 --epochs 2 --threads 1".split()
CELLS = """
from throughtime import Cell, Input, Parameter, State
from throughtime.math import tanh

class Plain(Cell):
    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x, h):
        return tanh(self.weight @ x + self.recurrent @ h)

class Needy(Plain):
    def __init__(self, size):
        self.size = size

class Timed(Plain):
    gap = Input(1)

    def step(self, x, h, gap):
        return tanh(self.weight @ x + self.recurrent @ h) * gap

class Faulty(Plain):
    def __init__(self):
        self.size = None + 1

class Broken(Plain):
    def __init__(self):
        raise ValueError("of the user")

class Odd(Plain):
    def step(self, x, h):
        return h.tanh_of_a_sum()

class NoCell:
    pass
"""


def line_of(text: str) -> int:
    return 1 + [text in line for line in CELLS.splitlines()].index(True)


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(SENTENCE * 20)
    (tmp_path / "mine.py").write_text(CELLS)
    return tmp_path


def run_process(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "throughtime", *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, **options
    )


def test_a_text_is_learned_measured_and_drawn(folder: Path) -> None:
    trained = call("train", "text.txt", *QUICK, "--cell", "gru")
    assert trained.exit_code == 0, trained.output
    assert trained.stderr.startswith("backend ")
    assert "test bits per character" in trained.stdout
    assert "bigram" in trained.stdout
    assert "run: runs/text-gru-1" in trained.stdout
    measured = call("evaluate", "runs/text-gru-1")
    assert measured.stdout.split(" (")[0] in trained.stdout
    assert Path("runs/text-gru-1/evaluation.png").is_file()
    drawn = call("sample", "runs/text-gru-1", "--length", "30", "--prompt", "fox")
    assert drawn.stdout.startswith("fox")
    assert len(drawn.stdout) == 3 + 30 + 1
    command = Path("runs/text-gru-1/command.txt").read_text()
    assert command.startswith("throughtime train text.txt --")


def test_json_is_alone_on_standard_output(folder: Path) -> None:
    trained = call("train", "text.txt", *QUICK, "--json", "--out", "run")
    result = json.loads(trained.stdout)
    assert "characters/s" in trained.stderr
    run = open_run("run")
    assert result["run"] == "run"
    assert result["cell"] == "LSTM"
    assert result["test"] == run.evaluate()
    assert result["parameters"] == sum(p.numel() for p in run.model.parameters())
    assert set(result["baselines"]) == {"unigram", "bigram"}
    measured = json.loads(call("evaluate", "run", "--json").stdout)
    expected = pytest.approx(result["test"]["bits_per_character"], rel=1e-6)
    assert measured["bits_per_character"] == expected
    drawn = json.loads(call("sample", "run", "--json", "--length", "5").stdout)
    assert len(drawn["text"]) == 5


def test_quiet_is_quiet(folder: Path) -> None:
    trained = call("train", "text.txt", *QUICK, "--quiet")
    assert trained.stderr == ""
    assert trained.stdout.startswith("test ")
    silent = call("train", "text.txt", *QUICK, "--quiet", "--json")
    assert silent.stderr == ""
    json.loads(silent.stdout)


def test_every_option_reaches_the_training(folder: Path) -> None:
    words = """--cell feedforward --layers 2 --hidden-size 5 --optimizer sgd --epochs 1
        --batch-size 3 --learning-rate 0.01 --clip 0.5 --seed 7 --backend reference
        --dtype float64 --device cpu --threads 1 --steps 9 --schedule constant
        --patience 4 --residual --dropout 0.1 --checkpoint 4 --embedding 7
        --out there"""
    trained = call("train", "text.txt", *words.split())
    assert trained.exit_code == 0, trained.output
    assert trained.stderr.startswith("backend reference: it was asked for by name")
    stored = json.loads(Path("there/model.json").read_text())["settings"]
    asked = {
        "hidden_size": 5,
        "num_layers": 2,
        "bidirectional": False,
        "heads": 1,
        "residual": True,
        "dropout": 0.1,
        "checkpoint": 4,
        "embedding": 7,
        "pool": None,
        "class_weights": None,
        "target_replication": None,
        "optimizer": "sgd",
        "epochs": 1,
        "patience": 4,
        "batch_size": 3,
        "steps": 9,
        "learning_rate": 0.01,
        "schedule": "constant",
        "clip": 0.5,
        "seed": 7,
        "backend": "reference",
        "dtype": "float64",
        "device": "cpu",
        "threads": 1,
    }
    assert {name: stored[name] for name in asked} == asked
    assert open_run("there").cell == "Feedforward"


def write_table() -> None:
    """Twelve sequences in a file; `mood` says whether `x` has grown."""
    lines = ["who,when,x,colour,gap,mood"]
    for who in range(12):
        for when in range(4 + who % 3):
            x = (7 * who + 5 * when * when) % 11
            mood, colour = ("up", "red") if x > 5 else ("down", "blue")
            lines.append(f"{who},{when},{x if x else ''},{colour},{when + 1},{mood}")
    Path("table.csv").write_text("\n".join(lines) + "\n")


def test_every_option_of_columns_reaches_the_training(folder: Path) -> None:
    write_table()
    words = """--sequence who --time when --features x,colour --target mood --input
        gap=gap --missing forward --time-difference --split sequence --split-seed 3
        --memory 1GB --task classify --per step --embedding 3 --class-weights up=2
        --cell mine.py:Timed --out run"""
    trained = call("train", "table.csv", *words.split(), *QUICK)
    assert trained.exit_code == 0, trained.output
    assert "target     1 category: mood (2 values)" in trained.stderr
    stored = json.loads(Path("run/model.json").read_text())
    assert stored["data"]["source"] == str(folder / "table.csv")
    assert stored["data"]["reading"] == {
        "sequence": "who",
        "time": "when",
        "features": ["x", "colour"],
        "items": None,
        "target": ["mood"],
        "inputs": {"gap": "gap"},
        "task": "classify",
        "per": "step",
        "horizon": None,
        "difference": None,
        "missing": "forward",
        "time_difference": True,
        "split": "sequence",
        "seed": 3,
        "memory": "1GB",
    }
    assert stored["settings"]["class_weights"] == {"up": 2.0}
    assert stored["settings"]["embedding"] == 3
    measured = call("evaluate", "run")
    assert measured.exit_code == 0, measured.output
    assert measured.stdout.split(" (")[0] in trained.stdout


def test_options_of_a_forecast_reach_the_training(folder: Path) -> None:
    rows = "\n".join(str(300 + step + (step % 4) ** 2) for step in range(120))
    Path("level.csv").write_text(f"level\n{rows}\n")
    words = "--horizon 3 --difference 4 --steps 30 --json --quiet --out run".split()
    trained = call("train", "level.csv", *words, *QUICK)
    assert trained.exit_code == 0, trained.output
    result = json.loads(trained.stdout)
    assert (result["task"], result["metric"]) == ("forecast", "rmse")
    model = tt.load("run")
    assert model.labels == ("level+1", "level+2", "level+3")
    assert (model.question.horizon, model.question.difference) == (3, 4)
    words = ["--difference", "none", "--quiet", "--out", "levels"]
    assert call("train", "level.csv", *words, *QUICK).exit_code == 0
    assert tt.load("levels").question.difference == 0


def test_options_of_answers_per_sequence_reach_the_training(folder: Path) -> None:
    write_table()
    words = """--sequence who --features x --target colour --missing zero --pool max
        --per step"""
    refused = call("train", "table.csv", *words.split(), *QUICK)
    assert refused.exit_code == 2
    assert "--pool 'max', expected none" in refused.stderr
    lines = Path("table.csv").read_text().splitlines()
    kinds = ["big" if int(line.split(",")[0]) % 2 else "small" for line in lines[1:]]
    with_kinds = [f"{a},{b}" for a, b in zip(lines, ["kind", *kinds], strict=True)]
    Path("table.csv").write_text("\n".join(with_kinds) + "\n")
    words = """--sequence who --features gap --target kind --pool last
        --target-replication 0.5 --class-weights balanced --out run"""
    trained = call("train", "table.csv", *words.split(), *QUICK)
    assert trained.exit_code == 0, trained.output
    stored = json.loads(Path("run/model.json").read_text())
    assert stored["model"]["pooling"] == "last"
    assert stored["settings"]["target_replication"] == 0.5
    assert stored["settings"]["class_weights"] == "balanced"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--input gap", "is not NAME=COLUMN"),
        ("--class-weights up=much", "is no number, nor NAME=NUMBER"),
        ("--target-replication 2", "--target-replication 2.0, expected a number"),
        ("--checkpoint often", "checkpoint"),
        ("--difference week", "'week' is no number of steps"),
        ("--missing best", "--missing 'best' is not known"),
        ("--pool median", "--pool 'median' is not known"),
    ],
)
def test_a_wrong_word_of_an_option_is_told(folder: Path, words: str, told: str) -> None:
    result = call("train", "text.txt", *QUICK, *words.split())
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("elman", "Elman"),
        ("Peephole_LSTM", "PeepholeLSTM"),
        ("gru-reset-before", "GRU"),
        ("peephole-lstm", "PeepholeLSTM"),
        ("mine.py:Plain", "Plain"),
    ],
)
def test_cells_go_by_name_and_by_file(folder: Path, name: str, cell: str) -> None:
    trained = call("train", "text.txt", *QUICK, "--cell", name, "--json", "--quiet")
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout)["cell"] == cell


def test_a_users_cell_is_drawn_from_where_its_file_is_gone(folder: Path) -> None:
    words = ["train", "text.txt", *QUICK, "--cell", "mine.py:Plain", "--out", "run"]
    assert call(*words).exit_code == 0
    Path("mine.py").unlink()
    drawn = run_process("sample", "run", "--length", "12")
    assert drawn.returncode == 0, drawn.stderr
    assert len(drawn.stdout) == 13


def lines(name: str, text: str) -> Callable[[], None]:
    return lambda: (Path(name).write_text(text), None)[1]


def a_folder() -> None:
    Path("texts").mkdir()
    Path("texts/one.txt").write_text("one")


def half_a_run() -> None:
    assert call("train", "text.txt", *QUICK, "--out", "run").exit_code == 0


def damaged(file: str, size: int) -> Callable[[], None]:
    def damage() -> None:
        half_a_run()
        path = Path("run") / file
        path.write_bytes(path.read_bytes()[:size])

    return damage


TRAIN = ["train", "text.txt", *QUICK]
MISTAKES = {
    "a missing file": (None, ["train", "no.txt"], "no file 'no.txt'"),
    "an unknown name": (None, ["train", "shakespear"], "did you mean 'shakespeare'"),
    "a folder": (a_folder, ["train", "texts"], "expected files of one of the formats"),
    "an empty file": (lines("e.txt", ""), ["train", "e.txt"], "'e.txt' is empty"),
    "one symbol": (lines("a.txt", "a" * 99), ["train", "a.txt"], "one symbol only"),
    "a short text": (lines("s.txt", "abc"), ["train", "s.txt"], "3 characters"),
    "an unknown cell": (None, [*TRAIN, "--cell", "lstn"], "did you mean 'lstm'"),
    "a cell without class": (
        None,
        [*TRAIN, "--cell", "mine.py"],
        "in the file are Plain, Needy, Timed, Faulty, Broken, Odd: write mine.py:Plain",
    ),
    "a missing cell file": (None, [*TRAIN, "--cell", "no.py:A"], "no file 'no.py'"),
    "a missing class": (None, [*TRAIN, "--cell", "mine.py:Plan"], "'Plain'"),
    "no cell": (None, [*TRAIN, "--cell", "mine.py:NoCell"], "no cell class 'NoCell'"),
    "needs arguments": (None, [*TRAIN, "--cell", "mine.py:Needy"], "needs arguments"),
    "has an Input": (None, [*TRAIN, "--cell", "mine.py:Timed"], "Input 'gap'"),
    "a faulty cell file": (
        lines("bad.py", "x = 1\ny = 1 / 0\n"),
        [*TRAIN, "--cell", "bad.py:A"],
        "'bad.py' fails at line 2 with ZeroDivisionError",
    ),
    "a faulty __init__": (
        None,
        [*TRAIN, "--cell", "mine.py:Faulty"],
        f"'mine.py' fails at line {line_of('None + 1')} with TypeError",
    ),
    "a wrong value in __init__": (
        None,
        [*TRAIN, "--cell", "mine.py:Broken"],
        f"line {line_of('of the user')} with ValueError: of the user",
    ),
    "a wrong declaration": (
        lines(
            "bad.py", "from throughtime import Parameter\nw = Parameter(1, init='x')"
        ),
        [*TRAIN, "--cell", "bad.py:A"],
        "Error: bad.py:2: Parameter: init is 'x'",
    ),
    "a faulty step": (
        None,
        [*TRAIN, "--cell", "mine.py:Odd"],
        f"'mine.py' fails at line {line_of('tanh_of_a_sum')} with AttributeError",
    ),
    "a file that ends the process": (
        lines("bad.py", "import sys\nsys.exit(0)\n"),
        [*TRAIN, "--cell", "bad.py:A"],
        "'bad.py' fails at line 2 with SystemExit: 0",
    ),
    "no Python": (
        lines("bad.py", "x = = 1\n"),
        [*TRAIN, "--cell", "bad.py:A"],
        "line 1 with SyntaxError",
    ),
    "both directions": (None, [*TRAIN, "--bidirectional"], "leave --bidirectional out"),
    "an unknown optimiser": (None, [*TRAIN, "--optimizer", "adma"], "'adam'"),
    "a huge seed": (None, [*TRAIN, "--seed", "9" * 20], "--seed " + "9" * 20),
    "huge layers": (
        None,
        ["train", "text.txt", "--hidden-size", "10000000"],
        "too large for the memory of this machine",
    ),
    "too many threads": (None, [*TRAIN, "--threads", "9" * 11], "at most 1024"),
    "steps of sequences": (
        None,
        ["train", "spoken-digits", "--steps", "5"],
        "leave --steps out",
    ),
    "a huge seed of drawing": (
        half_a_run,
        ["sample", "run", "--seed", "9" * 20],
        "--seed " + "9" * 20,
    ),
    "no units": (
        None,
        ["train", "text.txt", "--hidden-size", "0"],
        "--hidden-size 0",
    ),
    "no layers": (None, [*TRAIN, "--layers", "0"], "--layers 0, expected"),
    "a backend that cannot serve": (None, [*TRAIN, "--backend", "cudnn"], "cudnn"),
    "no epochs": (None, [*TRAIN, "--epochs", "0"], "--epochs 0"),
    "a strange backend": (None, [*TRAIN, "--backend", "fast"], "backend"),
    "out is a file": (None, [*TRAIN, "--out", "text.txt"], "holds something already"),
    "out is in a file": (None, [*TRAIN, "--out", "text.txt/r"], "cannot be written"),
    "out is a run": (half_a_run, [*TRAIN, "--out", "run"], "give another one"),
    "no run": (None, ["evaluate", "nowhere"], "is not a run folder (there is nothing)"),
    "not a run": (None, ["sample", "."], "it has no model.json"),
    "a damaged model": (damaged("model.json", 99), ["evaluate", "run"], "is damaged"),
    "damaged weights": (
        damaged("model.safetensors", 99),
        ["sample", "run"],
        "model.safetensors' is damaged",
    ),
    "a strange prompt": (half_a_run, ["sample", "run", "--prompt", "Ω"], "'Ω'"),
    "no length": (half_a_run, ["sample", "run", "--length", "0"], "--length 0"),
    "no threads": (half_a_run, ["evaluate", "run", "--threads", "0"], "--threads 0"),
    "a strange split": (half_a_run, ["evaluate", "run", "--split", "tst"], "'test'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(folder: Path, mistake: str) -> None:
    prepare, words, expected = MISTAKES[mistake]
    if prepare is not None:
        prepare()
    before = set(folder.rglob("*"))
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("Error: ")
    assert expected in sentence
    assert ". " not in sentence.removesuffix(".")
    made = {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
    assert made <= before, "nothing is left behind"


def test_a_text_that_moved_is_measured_where_it_lies_now(folder: Path) -> None:
    half_a_run()
    (folder / "text.txt").rename("moved.txt")
    lost = call("evaluate", "run")
    assert lost.exit_code == 2
    assert f"'{folder / 'text.txt'}'" in lost.stderr
    assert "give their path as --data" in lost.stderr
    found = call("evaluate", "run", "--data", "moved.txt")
    assert found.exit_code == 0, found.stderr
    (folder / "moved.txt").write_text(SENTENCE * 19)
    other = call("evaluate", "run", "--data", "moved.txt")
    assert "'moved.txt' is not what it was in training" in other.stderr


def test_a_run_without_a_finished_epoch_says_so(folder: Path) -> None:
    half_a_run()
    weights, rows = Path("run/model.safetensors"), Path("run/metrics.jsonl")
    weights.write_bytes(Path("run/initial.safetensors").read_bytes())
    rows.unlink()
    for words in (["evaluate", "run"], ["sample", "run", "--length", "1"]):
        told = call(*words)
        assert told.exit_code == 0
        assert told.stderr == "untrained: no epoch was finished\n"
    with pytest.warns(UserWarning, match="'run' is untrained: no epoch was finished"):
        tt.load("run")


def test_a_full_disk_is_said_and_what_was_saved_is_kept(folder: Path) -> None:
    # The system refuses to write more than 20,000 bytes into a file: the first weights
    # fit, the checkpoint does not.
    limited = run_process(
        *[*TRAIN, "--out", "run"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert limited.returncode == 2, limited.stderr
    last = limited.stderr.splitlines()[-1]
    assert last.startswith(
        "Error: 'run/checkpoint.pt' cannot be written (File too large"
    )
    assert "what was saved before is kept" in last
    tt.load("run")


def test_an_unexpected_error_keeps_its_traceback() -> None:
    program = """
import rich_click as click
from throughtime.cli.commands import Commands

@click.command()
def odd():
    raise RuntimeError("nobody thought of it")

Commands(commands={"odd": odd})(["odd"])
"""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "RuntimeError: nobody thought of it" in result.stderr


def test_help_answers_without_torch(folder: Path) -> None:
    program = (
        "import sys\nfrom throughtime.cli import main\n"
        "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "--hidden-size" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_the_version_is_printed() -> None:
    assert "0.1.0" in call("--version").stdout
