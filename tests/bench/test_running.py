"""Tasks as they are run: recipes, results, tables, and two backends side by side."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from throughtime.bench import TASKS, Engine, agreement, find_task, fixed_copy, run
from throughtime.bench.embedded_reber import EmbeddedReber
from throughtime.bench.running.drawn import Network, measuring
from throughtime.bench.running.runs import Result, read, save
from throughtime.bench.running.table import HEADERS, learned_by, markdown, rows
from throughtime.bench.running.task import ENTRIES, Measure, unheard
from throughtime.cells import GRU, LSTM, Zoneout
from throughtime.errors import (
    DamagedResult,
    NoResults,
    NumberOutOfRange,
    UnknownCell,
    UnknownChoice,
    UnknownTask,
    UnusedSetting,
)
from throughtime.nn import Recurrent, Softmax

SMALL: Mapping[str, Mapping[str, Any]] = {
    "adding": {"steps": 10, "hidden_size": 8, "updates": 6, "batch_size": 8},
    "copy": {"steps": 10, "hidden_size": 8, "updates": 6, "batch_size": 8},
    "temporal-order": {"hidden_size": 5, "updates": 6, "batch_size": 4},
    "embedded-reber": {"hidden_size": 5, "updates": 6, "batch_size": 8},
    "influence-balancing": {"steps": 60},
    "delayed-recall": {"hidden_size": 3, "updates": 20, "steps": 3, "truncation": 3},
}


def learned(name: str, seed: int = 0, **changes: Any) -> Result:
    task = find_task(name)
    recipe = task.recipe.changed(name, {**SMALL[name], **changes})
    return run(task, recipe, Engine(seed=seed, threads=1), None, unheard)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_says_what_it_is(name: str) -> None:
    task = TASKS[name]
    assert task.name == name
    assert len(task.definition) > 300
    assert task.title == task.title.rstrip(".")
    for one in task.published:
        assert one.source
    solved = task.measure.solved
    for floor in task.floors:
        # The chain of a text is the goal itself.
        assert not solved(floor.value) or floor.value == task.measure.goal


@pytest.mark.parametrize("name", SMALL)
def test_a_task_is_learned_and_told(name: str) -> None:
    found = learned(name)
    assert found.task == name
    assert found.updates == len(found.losses)
    assert found.seconds > 0
    assert found.parameters > 0
    again = learned(name)
    assert (again.value, again.losses) == (found.value, found.losses)


@pytest.mark.parametrize(
    "name", [name for name in SMALL if name != "influence-balancing"]
)
def test_another_seed_is_another_training(name: str) -> None:
    assert learned(name).losses != learned(name, seed=1).losses


def test_every_entry_of_a_recipe_reaches_the_network() -> None:
    recipe = find_task("embedded-reber").recipe
    changed = {"cell": "gru", "hidden_size": 6, "num_layers": 2, "init": "orthogonal"}
    network = Network(
        EmbeddedReber(), recipe.changed("embedded-reber", changed), Engine()
    )
    assert [graph.cell for graph in network.module.graphs] == ["GRU", "GRU"]
    weight = network.module.get_parameter("weight_hh_l0")[:6]
    assert torch.allclose(weight @ weight.T, torch.eye(6), atol=1e-5)


def test_a_cell_of_ones_own_is_learned() -> None:
    found = learned("adding", cell=GRU())
    assert found.recipe["cell"] == "GRU"


def test_what_a_task_has_not_is_refused() -> None:
    recipe = find_task("adding").recipe
    with pytest.raises(UnusedSetting, match="epochs=3, expected none for the task add"):
        recipe.changed("adding", {"epochs": 3})
    with pytest.raises(NumberOutOfRange, match="hidden_size=0"):
        recipe.changed("adding", {"hidden_size": 0})
    with pytest.raises(NumberOutOfRange, match="learning_rate=-1"):
        recipe.changed("adding", {"learning_rate": -1})
    with pytest.raises(UnknownCell, match="did you mean 'lstm'"):
        recipe.changed("adding", {"cell": "lsmt"})
    with pytest.raises(UnknownChoice, match="init='best'"):
        recipe.changed("adding", {"init": "best"})
    with pytest.raises(UnknownTask, match="did you mean 'adding'"):
        find_task("ading")


@pytest.mark.parametrize("name", TASKS)
def test_no_entry_is_left_over(name: str) -> None:
    """Every entry of a recipe changes what is learned, or would be refused."""
    assert set(TASKS[name].recipe.entries()) <= set(ENTRIES)


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    found = [learned("influence-balancing"), learned("embedded-reber")]
    for one in found:
        save(one, tmp_path / "results")
        save(one, tmp_path / "results")
    saved = read(tmp_path / "results")
    assert sorted(saved.results, key=lambda one: one.task) == sorted(
        found, key=lambda one: one.task
    )
    assert not saved.agreements


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoResults, match="holds no result"):
        read(tmp_path)
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(DamagedResult, match=r"other\.json"):
        read(tmp_path)


def test_a_row_is_a_recipe_and_its_seeds() -> None:
    one = learned("embedded-reber")
    results = [
        replace(one, value=0.5, solved=False, seed=1),
        replace(one, value=1.0, solved=True, seed=2),
        replace(one, value=0.25, solved=False, seed=0),
        replace(one, recipe={**one.recipe, "cell": "gru"}),
    ]
    lines = [dict(zip(HEADERS, row.cells(), strict=True)) for row in rows(results)]
    gru, lstm = sorted(lines, key=lambda line: line["learned by"])
    assert (lstm["seeds"], gru["seeds"]) == ("3", "1")
    assert lstm["median"] == "0.5"
    assert lstm["from … to"] == "0.25 … 1"
    assert lstm["solved"] == "1 of 3"
    assert lstm["learned by"].startswith("LSTM")
    assert "hidden_size 5" in lstm["learned by"]
    text = markdown(HEADERS, [row.cells() for row in rows(results)])
    assert text.count("\n") == 4


def test_what_differs_from_the_recipe_is_said() -> None:
    one = learned("influence-balancing", truncation=30)
    assert learned_by(one) == "steps 60, truncation 30"
    assert learned_by(replace(one, dtype="float64")).endswith("float64")


@pytest.mark.parametrize("name", ["embedded-reber", "delayed-recall", "temporal-order"])
def test_both_backends_take_the_same_updates(name: str) -> None:
    task = find_task(name)
    recipe = task.recipe.changed(name, SMALL[name])
    found = agreement(task, recipe, threads=1, updates=5)
    assert found.updates == 5
    assert found.agree
    assert found.ratio > 0


def test_another_training_would_not_agree() -> None:
    """So the comparison can fail."""
    first = learned("embedded-reber", learning_rate=0.01).losses
    other = learned("embedded-reber", learning_rate=0.01 + 1e-6).losses
    assert max(abs(a - b) for a, b in zip(first, other, strict=True)) > 1e-9


def test_what_diverges_is_told(tmp_path: Path) -> None:
    found = learned("adding", learning_rate=1e30)
    assert math.isnan(found.value)
    assert not found.solved
    assert found.updates < 6
    save(found, tmp_path)
    (again,) = read(tmp_path).results
    assert math.isnan(again.value)
    (row,) = rows([again, replace(found, seed=1, value=1.0)])
    line = dict(zip(HEADERS, row.cells(), strict=True))
    assert line["from … to"] == "1 … diverged"


def test_a_perplexity_may_be_too_large_for_a_number() -> None:
    module = Recurrent(LSTM(), 6, 3)
    head = Softmax(3, 6)
    with torch.no_grad():
        head.bias.copy_(torch.tensor([1e6, 0, 0, 0, 0, 0]))
    assert fixed_copy.perplexity(module, head, fixed_copy.rows(20, 2)) == math.inf


def test_measuring_draws_no_masks() -> None:
    recipe = find_task("embedded-reber").recipe
    cell = Zoneout(GRU(), h=0.5)
    changed = recipe.changed("embedded-reber", {"cell": cell, "hidden_size": 6})
    network = Network(EmbeddedReber(), changed, Engine())
    batch = EmbeddedReber().draw(8, torch.Generator().manual_seed(0))
    assert network.module.training
    with measuring(network.module):
        first, again = network.logits(batch), network.logits(batch)
    assert torch.equal(first, again)
    assert network.module.training
    assert not torch.equal(network.logits(batch), network.logits(batch))


def test_runs_of_other_threads_are_other_runs() -> None:
    one = learned("embedded-reber")
    assert len(rows([one, replace(one, threads=2)])) == 2
    assert len(rows([one, replace(one, seed=1)])) == 1


def test_one_update_has_no_time() -> None:
    task = find_task("embedded-reber")
    recipe = task.recipe.changed(task.name, {**SMALL[task.name], "updates": 1})
    with pytest.raises(NumberOutOfRange, match="updates=1, expected a whole number of"):
        agreement(task, recipe, threads=1)


def test_more_may_be_better() -> None:
    assert Measure("accuracy", 0.9, more=True).solved(0.9)
    assert not Measure("accuracy", 0.9, more=True).solved(0.89)
    assert Measure("error", 0.1).solved(0.1)
    assert not Measure("error", 0.1).solved(float("nan"))
