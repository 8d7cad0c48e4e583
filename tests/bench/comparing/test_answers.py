"""Baselines and networks answer the same questions, whatever is asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import throughtime as tt
from tests.train.conftest import SENTENCE, UNSAID
from tests.train.test_tasks import EVERY
from throughtime.bench.comparing.contestants import BASELINES, field_of
from throughtime.bench.comparing.examples import text_of
from throughtime.bench.comparing.history import history
from throughtime.bench.comparing.learning import learn_baseline
from throughtime.bench.comparing.scoring import Scored, common, score
from throughtime.data import Dataset, SequenceDataset, text_dataset
from throughtime.errors import AnswersDiffer
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import make_task

# Sums of float32 in another order, as batches of another shape are computed.
ROUNDING = 1e-5

TEXT = text_dataset(SENTENCE * 60, "text")


ALL: dict[str, Dataset] = {
    **{
        name: data
        for name, data in EVERY.items()
        if data.question.task != "classify" or len(data.schema.targets) == 1
    },
    "text": TEXT,
}


def untrained(dataset: Dataset) -> tuple[Model, Settings]:
    settings = settle(dataset, {**UNSAID, "hidden_size": 4, "dtype": "float64"})
    torch.manual_seed(0)
    return make_model(tt.cells.GRU(), dataset, settings).eval(), settings


def of_network(dataset: Dataset) -> Scored:
    model, settings = untrained(dataset)
    return score(dataset, make_task(dataset, settings).predict(model, "test")[0])


@pytest.mark.parametrize("name", ALL)
def test_every_baseline_answers_what_networks_do(name: str) -> None:
    dataset = ALL[name]
    network = of_network(dataset)
    for one in field_of(dataset).baselines:
        learned = learn_baseline(BASELINES[one], dataset, 1.0, 0)
        found = score(dataset, learned.answers("test"))
        ours, theirs = common([found, network])
        assert len(ours.steps) == len(network.steps), one
        assert np.isfinite(ours.value) and np.isfinite(theirs.value)
        assert learned.parameters >= 0


def test_another_truth_is_refused() -> None:
    scored = of_network(TEXT)
    other = replace(scored, targets=scored.targets[::-1])
    with pytest.raises(AnswersDiffer, match="another truth"):
        common([scored, other])
    with pytest.raises(AnswersDiffer, match="no answer"):
        common([scored, replace(scored, sequences=scored.sequences + 1)])


def test_only_common_answers_are_compared() -> None:
    scored = of_network(TEXT)
    some = scored.of(np.arange(5, len(scored.steps)))
    assert [len(one.steps) for one in common([scored, some])] == [len(some.steps)] * 2


@pytest.mark.parametrize("name", ALL)
def test_a_history_as_long_as_there_is_changes_nothing(name: str) -> None:
    dataset = ALL[name]
    model, settings = untrained(dataset)
    scored = score(dataset, make_task(dataset, settings).predict(model, "test")[0])
    past = history(model, settings, dataset, scored)
    assert past.answers == past.of == len(scored.steps)
    assert past.whole == pytest.approx(scored.value)
    if past.steps[-1] * 2 >= _longest(dataset) and dataset is not TEXT:
        return  # the largest power of two is still shorter than all
    assert past.values[-1] == pytest.approx(past.whole, rel=0.05)


def _longest(dataset: Dataset) -> int:
    if not isinstance(dataset, SequenceDataset):
        return len(dataset.part("test"))
    return int((dataset.splits["test"][:, 2] - dataset.splits["test"][:, 1]).max())


def test_a_cut_history_of_a_text_is_what_the_model_says_of_its_end() -> None:
    model, settings = untrained(TEXT)
    scored = score(TEXT, make_task(TEXT, settings).predict(model, "test")[0])
    past = history(model, settings, TEXT, scored)
    symbols = torch.from_numpy(TEXT.part("test"))
    place = past.steps.index(4)
    bits = []
    with torch.no_grad():
        for t in range(len(symbols) - 1):
            shares, _ = model(symbols[max(0, t - 3) : t + 1, None, None])
            bits.append(-np.log2(float(shares[-1, 0, symbols[t + 1]])))
    assert past.values[place] == pytest.approx(np.mean(bits), rel=ROUNDING)


@pytest.mark.parametrize("name", ["next labels", "regress per step"])
def test_a_cut_history_of_steps_is_what_the_model_says_of_their_end(name: str) -> None:
    dataset = EVERY[name]
    model, settings = untrained(dataset)
    scored = score(dataset, make_task(dataset, settings).predict(model, "test")[0])
    past = history(model, settings, dataset, scored)
    places = dataset.schema.places(dataset.schema.features)
    asked = dataset.schema.targets or dataset.schema.features
    truth = dataset.schema.places(asked)
    ahead = int(dataset.question.task == "next")
    sums = np.zeros(2)
    with torch.no_grad():
        for rows in dataset.read("test"):
            for t in range(len(rows) - ahead):
                x = torch.from_numpy(rows[max(0, t - 1) : t + 1, None, places])
                said = model(x)[0][-1, 0].double().numpy()
                true = rows[t + ahead, truth]
                if np.isnan(true).all() or (ahead and np.isnan(true).any()):
                    continue
                if ahead:
                    right = np.where(true > 0, said, 1 - said)
                    sums += [-np.log(right).sum(), 1]
                else:
                    known = ~np.isnan(true)
                    sums += [((said - true)[known] ** 2).sum(), known.sum()]
    value = sums[0] / sums[1]
    value = value if ahead else np.sqrt(value)
    assert past.values[past.steps.index(2)] == pytest.approx(value, rel=ROUNDING)


def test_a_text_is_spelled_as_the_data_set_reads_it() -> None:
    chain = tt.baselines.NGram(2).fit(text_of(TEXT, "train"))
    assert tuple(chain.symbols_.tolist()) == TEXT.vocabulary
    [said] = chain.predict_steps(text_of(TEXT, "test"))
    symbols = TEXT.part("test")
    bits = -np.log2(said[np.arange(len(symbols) - 1), symbols[1:]]).mean()
    expected = chain.bits_per_symbol(text_of(TEXT, "test"))
    assert bits == pytest.approx(expected, rel=1e-12)
