"""`watch="gradients"`: flow, saturation and changes of weights, while it is learned."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.train.conftest import SENTENCE
from tests.train.learning.training import SIGNS, learn, settings_of
from tests.train.test_tasks import EVERY
from throughtime.cells import LSTM, Elman
from throughtime.data import SequenceDataset, text_dataset
from throughtime.errors import UnknownChoice
from throughtime.nn import watch
from throughtime.train.learning.mean_course import MeanCourse
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import OfSequences

TEXT = text_dataset(SENTENCE * 8, "text")


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "flow.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_bits_of_the_weights_are_those_of_an_unwatched_training(
    tmp_path: Path,
) -> None:
    plain = learn(tmp_path / "plain")
    seen = learn(tmp_path / "seen", watch="gradients")
    for name, value in plain["model"].items():
        assert torch.equal(seen["model"][name], value)
    assert not (tmp_path / "plain/flow.jsonl").exists()


def test_each_epoch_has_a_line(tmp_path: Path) -> None:
    learn(tmp_path, watch="gradients", cell=LSTM(), num_layers=2)
    found = rows(tmp_path)
    assert [row["epoch"] for row in found] == [1, 2]
    assert [row["watched"] for row in found] == [1, 1]  # the first of 5 batches
    places = [(r["layer"], r["direction"], r["state"]) for r in found[0]["layers"]]
    assert places == [(k, 0, s) for k in (0, 1) for s in "hc"]
    for row in found:
        assert row["aligned"] == "end"
        assert row["steps"] == list(range(len(row["steps"])))
        assert all(len(one["norms"]) == len(row["steps"]) for one in row["layers"])
        assert all(min(one["norms"]) > 0 for one in row["layers"])
        assert {one["function"] for one in row["saturation"]} == {"sigmoid", "tanh"}
        assert all(0 <= one["share"] <= 1 for one in row["saturation"])
        assert row["dead"] == []
        assert {"head.weight", "network.weight_hh_l1"} <= set(row["ratios"])
        assert all(0 < ratio < 1 for ratio in row["ratios"].values())


def test_norms_are_those_of_the_first_batch(tmp_path: Path) -> None:
    settings = settings_of(SIGNS, batch_size=1000, epochs=1, watch="gradients")
    learn(tmp_path, batch_size=1000, epochs=1, watch="gradients", cell=LSTM())
    torch.manual_seed(settings.seed)
    model = make_model(LSTM(), SIGNS, settings)
    task, order = OfSequences(SIGNS, settings), torch.Generator()
    (batch,) = task.epoch(order.manual_seed(settings.seed))
    with watch(model) as watching:
        task.learned(model, batch).loss().backward()
    (call,) = watching.calls
    norms, alive = call.norms[0, 0, "c"], call.alive
    ends = torch.stack([norms[n - 1, b] for b, n in enumerate(alive.sum(0))])
    (layer,) = [one for one in rows(tmp_path)[0]["layers"] if one["state"] == "c"]
    assert layer["norms"][0] == pytest.approx(ends.mean().item(), rel=1e-12)


@pytest.mark.parametrize("name", ["classify per step", "forecast of changes"])
def test_answers_per_step_begin_at_the_start(name: str, tmp_path: Path) -> None:
    data: SequenceDataset = EVERY[name]
    learn(tmp_path, dataset=data, watch="gradients", epochs=1)
    (row,) = rows(tmp_path)
    assert row["aligned"] == "start"
    assert row["layers"]


@pytest.mark.parametrize("tbptt", [None, "5:9", "random:8", "auto"])
def test_texts_and_truncation(tbptt: str | None, tmp_path: Path) -> None:
    steps = {"steps": 8} if tbptt is None else {"tbptt": tbptt}
    learn(tmp_path, dataset=TEXT, watch="gradients", batch_size=2, epochs=1, **steps)
    (row,) = rows(tmp_path)
    assert row["watched"] > 0
    assert max(row["layers"][0]["norms"]) > 0


def test_dead_units_are_counted(tmp_path: Path) -> None:
    learn(tmp_path, cell=Elman("relu"), watch="gradients", learning_rate=5.0)
    last = rows(tmp_path)[-1]["dead"]
    assert last
    assert all(0 <= one["dead"] <= one["units"] == 4 for one in last)


def test_another_watch_is_refused() -> None:
    with pytest.raises(UnknownChoice, match="gradients"):
        settings_of(watch="gradient")


def test_a_mean_over_sequences_of_any_length() -> None:
    course = MeanCourse()
    alive = torch.tensor([[True, True], [True, False], [True, False]])
    course.add(torch.tensor([[1.0, 5], [2, 7], [3, 7]]), alive)
    assert course.means([(0, 1), (1, 3)]) == [3.0, 2.5]
    course.add(torch.tensor([[4.0]]), torch.tensor([[True]]))
    assert course.means([(0, 1)]) == [pytest.approx(10 / 3)]
    back = MeanCourse()
    back.add(torch.tensor([[1.0, 5], [2, 7], [3, 7]]), alive, from_end=True)
    assert back.means([(0, 1), (1, 2), (2, 3)]) == [4.0, 2.0, 1.0]
    assert np.isfinite(MeanCourse(**back.state_dict()).means([(0, 3)])).all()
