"""Every question: what counts, what is compared, and answers in own units."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import throughtime as tt
from tests.train.conftest import UNSAID
from tests.train.tables import booleans, drawn, numbers, table
from throughtime.cells import GRU, LSTM
from throughtime.data import Column, Question, SequenceDataset
from throughtime.train import Run, fit, open_run
from throughtime.train.asking.defaults import settle
from throughtime.train.measuring import metrics
from throughtime.train.metrics import measure
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import Answers, OfSequences, make_task

EXACT: dict[str, Any] = {"rtol": 0, "atol": 1e-12}
GIVEN = {**UNSAID, "backend": "reference", "dtype": "float64", "hidden_size": 4}
ANIMALS = Column("animal", "category", ("ant", "bee", "cow"))
COLOURS = Column("colour", "category", ("red", "blue"))


def of_steps(task: str, **more: Any) -> Question:
    return Question(task, "step", **more)  # type: ignore[arg-type]


def classes(per: str) -> SequenceDataset:
    """Two numbers, and two targets of classes, each missing now and then."""
    draw = np.random.default_rng(1)
    matrices = drawn(24, 2)
    for place, matrix in enumerate(matrices):
        rows = len(matrix) if per == "step" else 1
        labels = np.stack([draw.integers(0, k, rows) for k in (3, 2)], 1).astype(float)
        if per == "step":
            labels[draw.random(labels.shape) < 0.3] = np.nan
        labels = np.broadcast_to(labels, (len(matrix), 2))
        matrices[place] = np.hstack([matrix, labels])
    question = Question("classify", per)  # type: ignore[arg-type]
    return table(matrices, question, numbers("x", "y"), (ANIMALS, COLOURS))


def labels() -> SequenceDataset:
    matrices = [np.hstack([m[:, :2], m[:, 2:] > 3]) for m in drawn(24, 4)]
    return table(
        matrices, of_steps("multilabel"), numbers("x", "y"), booleans("a", "b")
    )


def regression(per: str) -> SequenceDataset:
    matrices = [np.hstack([m, 100 + 7 * m[:, ::-1]]) for m in drawn(24, 2)]
    if per == "sequence":
        for matrix in matrices:
            matrix[:, 2:] = matrix[0, 2:]
    question = Question("regress", per)  # type: ignore[arg-type]
    return table(matrices, question, numbers("x", "y"), numbers("v", "w"))


def notes() -> SequenceDataset:
    matrices = [(m > 3).astype(float) for m in drawn(24, 3)]
    return table(matrices, of_steps("next"), booleans("c", "d", "e"))


def symbols() -> SequenceDataset:
    matrices = [(m > 3) + (m > 4.0) * 1.0 for m in drawn(24, 1)]
    return table(matrices, of_steps("next"), [ANIMALS])


def waves(horizon: int = 3, difference: int = 1) -> SequenceDataset:
    matrices = [np.cumsum(m, axis=0) for m in drawn(24, 2, longest=12)]
    question = of_steps("forecast", horizon=horizon, difference=difference)
    return table(matrices, question, numbers("x", "y"))


EVERY: dict[str, SequenceDataset] = {
    "classify per step": classes("step"),
    "classify per sequence": classes("sequence"),
    "multilabel": labels(),
    "regress per step": regression("step"),
    "regress per sequence": regression("sequence"),
    "next labels": notes(),
    "next symbol": symbols(),
    "forecast of changes": waves(),
    "forecast of seasons": waves(3, 2),
    "forecast of values": waves(2, 0),
}


def made(
    dataset: SequenceDataset, cell: tt.Cell | None = None, **more: Any
) -> tuple[Model, OfSequences]:
    settings = settle(dataset, {**GIVEN, **more})
    torch.manual_seed(0)
    model = make_model(cell or LSTM(), dataset, settings)
    task = make_task(dataset, settings)
    assert isinstance(task, OfSequences)
    return model, task


def truth_by_hand(dataset: SequenceDataset, frame: np.ndarray, t: int) -> list[float]:
    """What is true at one step, one number after the other."""
    question, schema = dataset.question, dataset.schema
    asked = schema.targets or schema.features
    places = schema.places(asked)
    if question.task not in {"next", "forecast"}:
        return [frame[t, place] for place in places]
    found: list[float] = []
    for ahead in range(1, question.horizon + 1):
        for place in places:
            inside = t + ahead < len(frame)
            found.append(frame[t + ahead, place] if inside else np.nan)
    return found


def loss_by_hand(
    model: Model, dataset: SequenceDataset, logits: torch.Tensor, truth: list[float]
) -> tuple[torch.Tensor, bool]:
    """The loss of one answer, target after target; whether one of them is known."""
    functional, total, counts = torch.nn.functional, logits.new_zeros(()), False
    kind = type(model.output).__name__
    for place, value in enumerate(truth):
        if np.isnan(value):
            continue
        counts = True
        if kind == "Classes":
            sizes = [len(c.categories) for c in model.output.columns]
            start = sum(sizes[:place])
            group = logits[start : start + sizes[place]]
            total = total + functional.cross_entropy(group, torch.tensor(int(value)))
        elif kind == "Labels":
            chance = torch.sigmoid(logits[place])
            total = total - torch.log(chance if value else 1 - chance)
        else:
            total = total + (logits[place] - value) ** 2 / 2
    return total, counts


def scaled_by_hand(
    model: Model, dataset: SequenceDataset, frame: np.ndarray, t: int
) -> list[float]:
    """The truth on the scale of the loss."""
    truth = truth_by_hand(dataset, frame, t)
    if type(model.output).__name__ in {"Classes", "Labels"}:
        return truth
    season, columns = dataset.question.difference, len(model.output.columns)
    for place in range(len(truth)):
        if dataset.question.task == "forecast" and season:
            ahead, column = place // columns + 1, place % columns
            before = t + ahead
            while before > t:
                before -= season
            truth[place] -= frame[before, column] if t >= season - 1 else np.nan
        truth[place] -= model.output.scale.mean[place]
        truth[place] /= model.output.scale.std[place]
    return truth


@pytest.mark.parametrize("name", EVERY)
def test_a_padded_batch_is_the_mean_of_a_loop_over_its_answers(name: str) -> None:
    dataset = EVERY[name]
    model, task = made(dataset, batch_size=100)
    [answers] = task.training(model, torch.Generator().manual_seed(0))
    total, count = torch.zeros((), dtype=torch.float64), 0
    places = dataset.schema.places(dataset.schema.features)
    for frame in dataset.read("train"):
        x = torch.from_numpy(frame[:, None, places])
        logits, _ = model.logits(x, lengths=torch.tensor([len(frame)]))
        steps = range(len(frame)) if logits.dim() == 3 else [0]
        for t in steps:
            answer = logits[t, 0] if logits.dim() == 3 else logits[0]
            truth = scaled_by_hand(model, dataset, frame, t)
            loss, counts = loss_by_hand(model, dataset, answer, truth)
            total, count = total + loss, count + counts
    torch.testing.assert_close(answers.loss(), total / count, **EXACT)
    assert int(answers.counts.sum()) == count
    parameters = list(model.parameters())
    mine = torch.autograd.grad(answers.loss(), parameters)
    by_hand = torch.autograd.grad(total / count, parameters)
    torch.testing.assert_close(mine, by_hand, **EXACT)


@pytest.mark.parametrize("name", EVERY)
def test_answers_are_in_the_units_of_the_data(name: str) -> None:
    # With logits that are just right, the answers are the truth.
    dataset = EVERY[name]
    model, task = made(dataset)
    [predicted, *_] = task.predict(model, "test")
    outputs = predicted.outputs
    if dataset.question.task in {"regress", "forecast"}:
        answers = next(iter(task.evaluate(model, "test")))
        batch = next(iter(task._whole("test", 256)))
        features, _, truth = task._read(model, batch)
        back = model.output.decode(answers.targets, lambda: model.reader.fill(features))
        known = ~answers.targets.isnan()
        torch.testing.assert_close(back[known], truth[known], **EXACT)
        assert predicted.targets.shape == outputs.shape
        # The metric is measured on changes, and is the same in own units.
        error = (outputs - predicted.targets)[~np.isnan(predicted.targets)]
        found = measure(task, model, "test")["rmse"]
        assert found == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)
    elif predicted.targets.ndim == 1:
        np.testing.assert_allclose(outputs.sum(1), 1, atol=1e-12)
        assert ((outputs >= 0) & (outputs <= 1)).all()
    else:
        assert ((outputs > 0) & (outputs < 1)).all()


@pytest.mark.parametrize("name", EVERY)
def test_all_answers_come_by_sequence_and_step(name: str) -> None:
    dataset = EVERY[name]
    model, task = made(dataset)
    [predicted, *_] = task.predict(model, "test")
    places = dataset.schema.places(dataset.schema.features)
    rows = list(
        zip(predicted.sequences.tolist(), predicted.steps.tolist(), strict=True)
    )
    assert rows == sorted(set(rows))
    for row in range(0, len(rows), 5):
        sequence, step = rows[row]
        frame = dataset.frames.read(sequence, 0, dataset.frames.lengths[sequence])
        x = torch.from_numpy(frame[:, None, places])
        outputs = model(x, lengths=torch.tensor([len(frame)]))[0].detach()
        one = outputs[step, 0] if outputs.dim() == 3 else outputs[0]
        expected = one[: predicted.outputs.shape[1]].numpy()
        np.testing.assert_allclose(predicted.outputs[row], expected, atol=1e-12)
        truth = truth_by_hand(dataset, frame, step)
        target = np.atleast_1d(predicted.targets[row])
        np.testing.assert_allclose(target, truth[: len(target)], atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_the_metric_of_an_epoch_is_that_of_all_answers(name: str) -> None:
    dataset = EVERY[name]
    model, task = made(dataset)
    every = task.predict(model, "test")
    asked = task.asked
    found = measure(task, model, "test")[task.metric]
    values = [
        metrics(
            dataset.question,
            predicted,
            column.categories or [one.name for one in asked],
        )[task.metric]
        for predicted, column in zip(every, asked, strict=False)
    ]
    sizes = [len(predicted.targets) for predicted in every]
    assert found == pytest.approx(np.average(values, weights=sizes), rel=1e-9)


def test_only_answers_from_the_first_that_counts_on_are_counted() -> None:
    whole = EVERY["regress per step"]
    pieces = np.array([[20, 0, 0, 0], [21, 0, 0, 0]])
    pieces[:, 2] = whole.frames.lengths[[20, 21]]
    pieces[:, 3] = pieces[:, 2] - 1
    context = replace(whole, splits={**whole.splits, "test": pieces})
    model, task = made(context)
    [predicted] = task.predict(model, "test")
    assert predicted.steps.tolist() == pieces[:, 3].tolist()
    [full] = make_task(whole, task.settings).predict(model, "test")
    for row, (sequence, step) in enumerate(
        zip(predicted.sequences, predicted.steps, strict=True)
    ):
        same = (full.sequences == sequence) & (full.steps == step)
        np.testing.assert_allclose(predicted.outputs[row], full.outputs[same][0])
    answers: list[Answers] = list(task.evaluate(model, "test"))
    assert sum(int(one.counts.sum()) for one in answers) == 2


def test_long_pieces_are_cut_anew_in_every_epoch() -> None:
    matrix = np.cumsum(np.random.default_rng(0).normal(size=(200, 1)), axis=0)
    splits = {
        "train": np.array([[0, 0, 160, 0]]),
        "validation": np.array([[0, 0, 180, 160]]),
        "test": np.array([[0, 0, 200, 180]]),
    }
    question = of_steps("forecast", horizon=1, difference=7)
    dataset = table([matrix], question, numbers("x"), splits=splits)
    model, task = made(dataset, steps=30, batch_size=100)
    order = torch.Generator().manual_seed(0)
    first, second = (task._pieces(order) for _ in range(2))
    assert not np.array_equal(first, second)
    for cut in (first, second):
        # Every step counts in one piece; the changes of its first steps are read.
        assert cut[0, 3] == 0
        assert cut[-1, 2] == 160
        assert (cut[1:, 3] == cut[:-1, 2]).all()
        assert (cut[:, 2] - cut[:, 3] <= 30).all()
        assert (cut[:, 1] == np.maximum(cut[:, 3] - 7, 0)).all()
    [answers] = task.training(model, order)
    # The last step of a piece has no next one in it; the first 6 no change.
    pieces = task._pieces(torch.Generator().manual_seed(0))
    assert int(answers.counts.sum()) in range(160 - 6 - len(pieces) - 1, 160 - 6)
    assert task.batches() == 1


@pytest.mark.parametrize("name", ["classify per step", "classify per sequence"])
def test_balanced_classes_weigh_the_same_in_all(name: str) -> None:
    dataset = EVERY[name]
    model, task = made(dataset, batch_size=100, class_weights="balanced")
    assert task._weights is not None
    [answers] = task.training(model, torch.Generator().manual_seed(0))
    weights = task._weights(answers.targets)
    for group, size in enumerate((3, 2)):
        targets = answers.targets[..., group]
        known = int((targets >= 0).sum())
        sums = [float(weights[..., group][targets == k].sum()) for k in range(size)]
        assert sums == pytest.approx([known / size] * size, rel=1e-12)
    each = model.head.each(answers.logits, answers.targets)
    torch.testing.assert_close(answers.losses, (each * weights).sum(-1), **EXACT)
    torch.testing.assert_close(answers.plain, each.sum(-1), **EXACT)


def test_weights_are_given_by_name() -> None:
    dataset = EVERY["classify per sequence"]
    model, task = made(dataset, class_weights={"bee": 3.0, "red": 0.5})
    answers = next(iter(task.evaluate(model, "test")))
    assert task._weights is not None
    weights = task._weights(answers.targets)
    animal, colour = answers.targets.unbind(-1)
    assert torch.equal(weights[..., 0], 1.0 + 2.0 * (animal == 1))
    assert torch.equal(weights[..., 1], 1.0 - 0.5 * (colour == 0))
    model, task = made(EVERY["multilabel"], class_weights={"b": 3.0})
    answers = next(iter(task.evaluate(model, "test")))
    assert task._weights is not None
    expected = torch.ones_like(answers.targets)
    expected[..., 1] += 2 * answers.targets[..., 1].nan_to_num(0)
    assert torch.equal(task._weights(answers.targets), expected)


def test_target_replication_is_its_formula() -> None:
    dataset = EVERY["classify per sequence"]
    model, task = made(dataset, batch_size=100, target_replication=0.3)
    [answers] = task.training(model, torch.Generator().manual_seed(0))
    total = torch.zeros((), dtype=torch.float64)
    for frame in dataset.read("train"):
        target = torch.from_numpy(frame[0, 2:]).long()
        hidden, _ = model.network(
            model.reader(torch.from_numpy(frame[:, None, :2]), torch.float64)
        )
        losses = [model.head.loss(model.head.logits(h[0]), target) for h in hidden]
        total = total + 0.3 * sum(losses) / len(losses) + 0.7 * losses[-1]
    expected = total / len(dataset.splits["train"])
    torch.testing.assert_close(answers.loss(), expected, **EXACT)
    evaluated = next(iter(task.evaluate(model, "test")))
    assert torch.equal(evaluated.losses, evaluated.plain)


@pytest.mark.parametrize("name", EVERY)
def test_every_question_is_learned_stored_and_answered_again(
    name: str, tmp_path: Path
) -> None:
    dataset = EVERY[name]
    options: dict[str, Any] = {"hidden_size": 8, "epochs": 30, "threads": 1}
    run = fit(GRU(), dataset, out=tmp_path / "run", learning_rate=0.03, **options)
    assert run.metrics[-1]["loss"] < run.metrics[0]["loss"]
    assert run.metric in run.evaluate()
    again = open_run(tmp_path / "run", data=dataset)
    assert again.evaluate() == run.evaluate()
    mine, theirs = run.predicted(), again.predicted()
    for one, other in zip(mine, theirs, strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    assert tt.load(tmp_path / "run").labels == run.model.labels
    assert isinstance(run, Run)
    assert run.question == dataset.question
