"""One damaged field of `model.json` is one sentence, never a traceback."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import throughtime as tt
from tests.train.conftest import SENTENCE, make_sequences
from tests.train.test_tasks import waves
from throughtime.cells import GRU, LSTM
from throughtime.cli import main
from throughtime.errors import DamagedModel, ThroughtimeError
from throughtime.train import Run, fit, open_run, sample

WRONG = (None, True, -1, 0, 1, 2**80, 1e400, float("nan"), "", "x", [], {}, [[1]])
WAVES = waves(2, 2)
QUICK = {"hidden_size": 3, "epochs": 1, "threads": 1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run on sequences in memory, and one on a text."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(SENTENCE * 4)
    return {
        "classify": fit(LSTM(), make_sequences(), out=folder / "signs", **QUICK),
        "next": fit(GRU(), folder / "text.txt", out=folder / "text", **QUICK),
        "forecast": fit(GRU(), WAVES, out=folder / "waves", **QUICK),
    }


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every entry of a document, groups of entries included."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*above, key)
        if isinstance(value[key], dict | list):
            yield from places(value[key], (*above, key))


def use(path: Path, task: str) -> None:
    """Whatever a person does with a run whose data may lie elsewhere."""
    data = {"classify": make_sequences(), "forecast": WAVES}.get(task)
    run = open_run(path, data=data)
    assert run.cell is not run.task is not run.data
    assert run.best_epoch >= 0
    assert isinstance(run.stopped, str | None)
    tt.load(path)
    run.evaluate()
    run.predicted()
    if task == "next":
        "".join(sample(run, 3))


@pytest.mark.parametrize("task", ["classify", "next", "forecast"])
def test_one_damaged_field_is_told_or_does_no_harm(
    runs: dict[str, Run], task: str
) -> None:
    file = runs[task].path / "model.json"
    whole = file.read_text()
    draw = random.Random(0)
    ways = list(places(json.loads(whole)))
    told = 0
    try:
        for _ in range(100):
            document = place = json.loads(whole)
            *above, last = draw.choice(ways)
            for key in above:
                place = place[key]
            place[last] = draw.choice(WRONG)
            file.write_text(json.dumps(document))
            try:
                use(file.parent, task)
            except ThroughtimeError as error:
                assert len(str(error).splitlines()) == 1, error
                told += 1
    finally:
        file.write_text(whole)
    assert told > 50


DAMAGES: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "a size of -1": ("next", ("model", "reader", "embedding"), -1),
    "a deviation of 0": ("next", ("model", "reader", "scale", "std", 0), 0),
    "a strange gap": ("next", ("model", "reader", "gaps", 0), 1),
    "an init": ("next", ("model", "graphs", 0, "parameters", 0, 2), "x"),
    "no size": ("next", ("model", "graphs", 0, "hidden_size"), 0),
    "no <unknown>": (
        "next",
        ("model", "schema", "features", 0, "categories", 0),
        "y",
    ),
    "another task": ("next", ("task",), "classify"),
    "a task of texts": ("classify", ("task",), "next"),
    "no steps": ("next", ("settings", "steps"), None),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_sentence_of_the_command(
    runs: dict[str, Run], damage: str
) -> None:
    task, (*above, last), wrong = DAMAGES[damage]
    file = runs[task].path / "model.json"
    whole = file.read_text()
    document = place = json.loads(whole)
    for key in above:
        place = place[key]
    place[last] = wrong
    file.write_text(json.dumps(document))
    try:
        with pytest.raises(DamagedModel):
            use(file.parent, task)
        result = CliRunner().invoke(main, ["sample", str(file.parent)])
    finally:
        file.write_text(whole)
    assert result.exit_code == 2
    (sentence,) = result.stderr.splitlines()
    assert "model.json' is damaged (" in sentence


def test_reversed_labels_are_not_those_of_the_data(runs: dict[str, Run]) -> None:
    run = runs["next"]
    file = run.path / "model.json"
    whole = file.read_text()
    document = json.loads(whole)
    column = document["model"]["schema"]["features"][0]
    column["categories"][1:] = column["categories"][:0:-1]
    file.write_text(json.dumps(document))
    try:
        with pytest.raises(DamagedModel, match="not those of the data"):
            open_run(run.path).evaluate()
    finally:
        file.write_text(whole)
