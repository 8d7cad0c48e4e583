"""Diagnoses of saved runs, of every kind of question."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import throughtime as tt
from tests.data.events import events, mixed
from tests.train.conftest import make_sequences
from tests.train.tables import booleans, drawn, numbers, table
from throughtime.data import Column, Question, SequenceDataset
from throughtime.diagnose import Diagnosis
from throughtime.errors import NumberOutOfRange, TrainingDiverged
from throughtime.graph import Cell
from throughtime.nn import watch
from throughtime.nn.heads import Linear, Sigmoid
from throughtime.nn.softmaxes import Softmaxes
from throughtime.train import Run, open_run
from throughtime.train.diagnosing.looking import Look, best_constant, look
from throughtime.train.diagnosing.picture import draw
from throughtime.train.tasks import make_task

MOODS = Column("mood", "category", ("low", "high"))


def steps(task: str, **more: Any) -> Question:
    return Question(task, "step", **more)  # type: ignore[arg-type]


def classes() -> SequenceDataset:
    matrices = [np.hstack([m, m[:, :1] > 3]) for m in drawn(24, 2)]
    return table(matrices, steps("classify"), numbers("x", "y"), (MOODS,))


def labels() -> SequenceDataset:
    matrices = [np.hstack([m[:, :2], m[:, 2:] > 3]) for m in drawn(24, 4)]
    return table(matrices, steps("multilabel"), numbers("x", "y"), booleans("a", "b"))


def waves() -> SequenceDataset:
    matrices = [np.cumsum(m, axis=0) for m in drawn(24, 2, longest=12)]
    question = steps("forecast", horizon=2, difference=1)
    return table(matrices, question, numbers("x", "y"))


def trained(data: Any, out: Path, cell: Cell | None = None, **more: Any) -> Run:
    small = {"hidden_size": 5, "epochs": 2, "threads": 1, "dtype": "float64"}
    small["backend"] = "reference"  # which compiles nothing
    return tt.fit(cell or tt.cells.LSTM(), data, out=out, **{**small, **more})


def seen(run: Run) -> Look:
    return look(make_task(run.dataset, run.settings), run.model, "validation", 64, 0)


def layers(part: Any) -> set[tuple[int, int, str]]:
    return {(one.layer, one.direction, one.state) for one in part.layers}


QUESTIONS = {
    "classify per sequence": lambda: make_sequences(60),
    "classify per step": classes,
    "multilabel": labels,
    "forecast": waves,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_of_columns(name: str, tmp_path: Path) -> None:
    run = trained(QUESTIONS[name](), tmp_path / "run", num_layers=2)
    found = run.diagnose()
    states = {(layer, 0, state) for layer in (0, 1) for state in "hc"}
    assert found.data["per"] == run.question.per
    assert found.flow is not None
    assert found.lags is not None
    assert found.memory is not None
    assert layers(found.flow) == layers(found.lags) == layers(found.memory) == states
    assert len(found.flow.steps) == found.data["steps"]
    assert (found.lags.sampled == [-1]) == (run.question.per == "sequence")
    assert {one.node for one in found.saturation or []} == {*"ifgo", "tanh#1"}
    assert found.dead == []
    assert found.findings
    assert {"flow", "lags", "memory"} <= found.seconds.keys()
    stored = json.loads((run.path / "diagnosis.json").read_text())
    assert stored == found.to_json()
    assert Diagnosis.from_json(stored).to_json() == stored
    assert stored["version"] == 1
    assert draw(found, "title").startswith(b"\x89PNG")


def test_a_text_and_another_one(tmp_path: Path, text: Path) -> None:
    run = trained(str(text), tmp_path / "run", steps=16, batch_size=2)
    found = run.diagnose(sequences=20)
    assert found.data["sequences"] == 20
    assert found.memory is not None
    assert found.memory.window == 16
    (tmp_path / "new.txt").write_text(
        "the lazy fox jumps over the quick brown dog.\n" * 9
    )
    new = open_run(run.path).diagnose(str(tmp_path / "new.txt"), sequences=3)
    assert new.data["part"] == str(tmp_path / "new.txt")


def test_items(tmp_path: Path) -> None:
    mixed(events()).write_csv(tmp_path / "events.csv")
    said = {"sequence": "who", "time": "when", "items": "what:how", "target": "label"}
    run = trained(str(tmp_path / "events.csv"), tmp_path / "run", **said)
    found = run.diagnose()
    assert found.flow is not None
    assert found.memory is not None
    assert found.memory.curve


def test_norms_by_step_are_those_of_the_mean_loss(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run")
    found, own = run.diagnose(), seen(run)
    assert found.flow is not None
    with watch(run.model) as watching:
        own.mean_loss().backward()
    for layer in found.flow.layers:
        norms = watching.norms[0, 0, layer.state].numpy()
        first = [np.median(norms[0]), *np.quantile(norms[0], [0.1, 0.9])]
        given = layer.median[0], layer.low[0], layer.high[0]
        np.testing.assert_allclose(given, first, rtol=1e-12)


def test_a_loss_is_that_of_evaluate(tmp_path: Path) -> None:
    """Of all sequences, as validation has fewer than are looked at."""
    for data in (make_sequences(60), classes()):
        run = trained(data, tmp_path / data.question.per)
        own = seen(run)
        assert own.mean_loss().item() == pytest.approx(
            run.evaluate("validation")["loss"], rel=1e-12
        )


def test_cutting_is_what_a_shorter_sequence_gives(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run", epochs=20, learning_rate=0.05)
    found = run.diagnose()
    assert found.memory is not None
    model, dataset = run.model, run.dataset
    assert isinstance(dataset, SequenceDataset)
    by_history = {one["history"]: one["loss"] for one in found.memory.curve}
    for history in (0, 2):
        losses = []
        for sequence, start, stop, _ in dataset.splits["validation"].tolist():
            frame = torch.tensor(dataset.frames.read(sequence, start, stop))[:, None]
            asked = torch.tensor([int(frame[-1, 0, -1])])
            short = frame[-history - 1 :, :, :-1]
            logits, _ = model.logits(short)
            losses.append(torch.nn.functional.cross_entropy(logits, asked).item())
        assert by_history[history] == pytest.approx(np.mean(losses), rel=1e-9)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"bidirectional": True}, "bidirectional"),
        ({"pool": "mean"}, "mean over all steps"),
    ],
)
def test_what_does_not_apply_is_said(
    more: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    found = trained(make_sequences(60), tmp_path / "run", **more).diagnose()
    assert found.memory is not None
    assert reason in (found.memory.reason or "")
    assert (found.memory.needed, found.memory.curve) == (None, [])


def test_a_cell_without_states(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run", tt.cells.Feedforward())
    found = run.diagnose()
    assert found.flow is found.lags is found.memory is None
    assert found.findings
    assert draw(found, "title").startswith(b"\x89PNG")


def test_dead_units_are_counted(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run", tt.cells.Elman("relu"))
    with torch.no_grad():
        run.model.network.get_parameter("bias_ih_l0")[:2] = -1e3
    (dead,) = run.diagnose().dead or []
    assert (dead.node, dead.units, dead.dead >= 2) == ("h", 5, True)


def test_a_picture_of_no_error_at_all(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run")
    with torch.no_grad():
        run.model.head.weight.zero_()
    found = run.diagnose()
    assert found.flow is not None
    assert not any(any(one.median) for one in found.flow.layers)
    assert draw(found, "title").startswith(b"\x89PNG")


def test_the_best_constant_is_the_best() -> None:
    draw = torch.Generator().manual_seed(0)
    options: dict[str, Any] = {"dtype": torch.float64}
    real = torch.randn(9, 4, 2, generator=draw, dtype=torch.float64) + 3
    real[0, 0, 0] = math.nan
    chosen = torch.randint(0, 3, (40, 2), generator=draw).clamp(max=2)
    chosen[0] = -100
    yes = (torch.rand(40, 2, generator=draw) < 0.3).double()
    for head, targets in (
        (Linear(3, 2, **options), real),
        (Softmaxes(3, (3, 4), **options), chosen),
        (Sigmoid(3, 2, **options), yes),
    ):
        logits = best_constant(head, targets).requires_grad_()
        shape = *targets.shape[:-1], len(logits)
        loss = head.each(logits.expand(shape), targets).sum()
        (slope,) = torch.autograd.grad(loss, logits)
        assert slope.abs().max() < 1e-4
    assert best_constant(Softmaxes(3, (4,)), chosen[:, 1:])[3] < -10


def test_the_same_seed_sees_the_same(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run")
    first = run.diagnose(sequences=6, seed=1).to_json()
    again = run.diagnose(sequences=6, seed=1).to_json()
    other = run.diagnose(sequences=6, seed=2).to_json()
    assert first["flow"] == again["flow"] != other["flow"]
    assert first["data"]["sequences"] == 6


def test_machine_code_says_the_same(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run")
    slow, fast = (
        run.diagnose().to_json(),
        open_run(run.path, data=run.dataset).diagnose().to_json(),
    )
    for part in ("flow", "lags"):
        for own, other in zip(slow[part]["layers"], fast[part]["layers"], strict=True):
            name = "median" if part == "flow" else "norms"
            np.testing.assert_allclose(own[name], other[name], rtol=1e-9)


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run")
    before = {name: one.clone() for name, one in run.model.state_dict().items()}
    run.diagnose()
    for name, one in run.model.state_dict().items():
        assert torch.equal(one, before[name])
    assert all(weight.grad is None for weight in run.model.parameters())
    assert run.model.network.watching is None


def test_a_run_that_diverged_says_so(tmp_path: Path) -> None:
    options = {"clip": 0.0, "optimizer": "sgd", "learning_rate": 1e200}
    with pytest.raises(TrainingDiverged):
        trained(make_sequences(60), tmp_path / "run", tt.cells.Elman("relu"), **options)
    run = open_run(tmp_path / "run", data=make_sequences(60))
    assert run.stopped == "diverged"
    found = run.diagnose()
    assert found.verdict.kind == "exploding"
    assert found.verdict.remedy == "--clip 1"


def test_the_largest_gradient_is_written_down(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run")
    for row in run.metrics:
        assert 0 < row["largest_gradient"] < 100


def test_what_is_refused(tmp_path: Path) -> None:
    run = trained(make_sequences(60), tmp_path / "run")
    with pytest.raises(NumberOutOfRange, match="sequences"):
        run.diagnose(sequences=0)
    with pytest.raises(NumberOutOfRange, match="lags"):
        run.diagnose(lags=0)
    assert not (run.path / "diagnosis.json").exists()
