"""A training: what it learns, keeps, promises and refuses."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import throughtime as tt
from tests.train.conftest import SENTENCE
from throughtime.cells import GRU, LSTM, Elman, Feedforward
from throughtime.data import SequenceDataset, text_dataset
from throughtime.errors import (
    CellNeedsInput,
    LooksAhead,
    SettingError,
    TrainingDiverged,
)
from throughtime.train import Run, fit

FILES = {
    "checkpoint.pt",
    "command.txt",
    "config.toml",
    "curve.png",
    "initial.safetensors",
    "metrics.jsonl",
    "model.json",
    "model.safetensors",
}


def train(
    data: object, out: Path, cell: tt.Cell | None = None, **options: object
) -> Run:
    quick = {"hidden_size": 8, "epochs": 3, "batch_size": 10, "learning_rate": 0.02}
    quick["threads"] = 1  # two small tests side by side wait for each other's threads
    return fit(cell or Elman(), data, out=out, **{**quick, **options})


def test_it_learns_what_a_sequence_began_with(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    run = train(signs, tmp_path, GRU(), epochs=12, learning_rate=0.05)
    losses = [row["loss"] for row in run.metrics]
    assert losses[-1] < 0.3 < losses[0]
    assert run.evaluate("train")["accuracy"] >= 0.9
    assert run.evaluate()["accuracy"] >= 0.85
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_it_learns_as_well_with_products_of_bfloat16(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        run = train(signs, tmp_path, GRU(), epochs=12, learning_rate=0.05)
    assert run.metrics[-1]["loss"] < 0.3
    exact = load_file(tmp_path / "model.safetensors")
    assert all(value.dtype == torch.float32 for value in exact.values())
    assert run.evaluate()["accuracy"] >= 0.85


def test_it_learns_a_text_by_heart(text: Path, tmp_path: Path) -> None:
    run = train(text, tmp_path / "run", hidden_size=32, epochs=4, steps=10)
    assert run.evaluate()["bits_per_character"] < 0.5
    assert run.metrics[0]["bits_per_character"] > 2


def test_metrics_say_all_of_every_epoch(signs: SequenceDataset, tmp_path: Path) -> None:
    run = train(signs, tmp_path, num_layers=2, clip=0.01)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == run.metrics
    assert [row["epoch"] for row in run.metrics] == [1, 2, 3]
    for row in run.metrics:
        assert row["updates"] == 4
        assert row["sequences_per_second"] > 0
        assert row["clip_rate"] == 1.0
        assert row["zero_fraction"] == [0.0, 0.0]
        assert {"loss", "accuracy", "validation_loss", "validation_accuracy"} <= set(
            row
        )


def test_relu_units_are_exactly_zero_about_half_the_time(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    cell = Feedforward("relu")
    run = train(
        signs,
        tmp_path,
        cell,
        hidden_size=64,
        num_layers=2,
        epochs=1,
        learning_rate=1e-9,
    )
    first, second = run.metrics[0]["zero_fraction"]
    assert 0.3 < first < 0.7
    assert 0.3 < second < 0.7
    for smooth in ("tanh", "sigmoid"):
        other = train(signs, tmp_path / smooth, Feedforward(smooth), epochs=1)
        assert other.metrics[0]["zero_fraction"] == [0.0]


def test_the_best_weights_are_kept(signs: SequenceDataset, tmp_path: Path) -> None:
    run = train(signs, tmp_path, epochs=12, learning_rate=0.3, patience=12)
    losses = [row["validation_loss"] for row in run.metrics]
    assert run.best_epoch == 1 + losses.index(min(losses))
    assert run.evaluate("validation")["loss"] == pytest.approx(min(losses), rel=1e-6)
    best = [row["epoch"] for row in run.metrics if row["best"]]
    assert best[-1] == run.best_epoch


def test_it_stops_when_validation_grows_no_better(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    run = train(signs, tmp_path, epochs=50, learning_rate=0.5, patience=2)
    assert run.stopped == "patience"
    assert len(run.metrics) == run.best_epoch + 2 < 50


def test_the_initial_weights_are_those_before_the_first_step(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    train(signs, tmp_path / "one", epochs=1)
    train(signs, tmp_path / "two", epochs=1, learning_rate=1e-12)
    first = load_file(tmp_path / "one" / "initial.safetensors")
    unmoved = load_file(tmp_path / "two" / "model.safetensors")
    assert first.keys() == unmoved.keys()
    for name, weight in first.items():
        torch.testing.assert_close(weight, unmoved[name])
    torch.manual_seed(0)
    network = tt.nn.Recurrent(Elman(), 2, 8)
    assert torch.equal(first["network.weight_hh_l0"], network.weight_hh_l0)


@pytest.mark.parametrize("kind", ["sequences", "text"])
def test_the_same_seed_gives_the_same_bits(
    kind: str, signs: SequenceDataset, text: Path, tmp_path: Path
) -> None:
    data = signs if kind == "sequences" else text

    def weights(name: str, seed: int) -> bytes:
        train(data, tmp_path / name, LSTM(), seed=seed, epochs=1)
        return (tmp_path / name / "model.safetensors").read_bytes()

    first = weights("a", 1)
    torch.manual_seed(99)  # what the caller does with torch's generator is no matter
    assert weights("b", 1) == first
    assert weights("c", 2) != first


def test_the_callers_generator_and_threads_are_left_alone(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    run = train(signs, tmp_path, threads=1, epochs=1)
    tt.load(run.path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_gradient_descent_is_its_equation(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    options = {"optimizer": "sgd", "learning_rate": 0.25, "clip": 0, "epochs": 1}
    one = {name: place[:1] for name, place in signs.splits.items()}
    single = replace(signs, splits=one)
    run = train(single, tmp_path, batch_size=1, dtype="float64", **options)
    model = tt.train.load(run.path)
    model.load_state_dict(load_file(tmp_path / "initial.safetensors"))
    frame = torch.from_numpy(signs.read("train")[0])[:, None]
    logits, _ = model.logits(frame[..., :2], lengths=torch.tensor([len(frame)]))
    loss = torch.nn.functional.cross_entropy(logits, frame[0, :, 2].long())
    loss.backward()
    after = load_file(tmp_path / "model.safetensors")
    for name, weight in model.named_parameters():
        assert torch.equal(weight - 0.25 * weight.grad, after[name])


def test_the_step_width_falls_along_half_a_cosine_or_stays(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    # With gradients clipped to a fixed norm, each step is as long as its width.
    def moved(schedule: str) -> float:
        options = {"optimizer": "sgd", "learning_rate": 1e-4, "clip": 1e-3}
        out = tmp_path / schedule
        train(signs, out, schedule=schedule, batch_size=40, dtype="float64", **options)
        first, last = (
            torch.cat(
                [w.flatten() for w in load_file(out / f"{name}.safetensors").values()]
            )
            for name in ("initial", "model")
        )
        return (last - first).norm().item()

    # Widths of three updates: 1, 3/4, 1/4.
    assert moved("cosine") / moved("constant") == pytest.approx(2 / 3, rel=1e-2)


def test_a_text_is_learned_as_one_pass_with_carried_state(tmp_path: Path) -> None:
    data = text_dataset(SENTENCE * 4, "t")
    options = {"batch_size": 2, "steps": 7, "epochs": 1, "dtype": "float64"}
    run = train(data, tmp_path, learning_rate=1e-300, optimizer="sgd", **options)
    # Nothing moved, so the loss of the pieces is that of the whole.
    symbols = torch.from_numpy(data.part("train"))
    size = (len(symbols) - 1) // 2
    streams = torch.stack([symbols[:size], symbols[size : 2 * size]], 1)
    targets = torch.stack([symbols[1 : size + 1], symbols[size + 1 : 2 * size + 1]], 1)
    logits, _ = run.model.logits(streams[..., None])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    assert run.metrics[0]["loss"] == pytest.approx(loss.item(), abs=1e-12)


def test_without_a_state_the_answer_is_the_mean_over_all_steps(
    signs: SequenceDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(signs, tmp_path, Feedforward(), num_layers=2, epochs=1, quiet=False)
    assert run.model.pooling == "mean"
    assert "mean over all steps" in capsys.readouterr().err
    x = torch.randn(5, 1, 2)
    order = torch.tensor([4, 2, 0, 1, 3])
    torch.testing.assert_close(run.model(x)[0], run.model(x[order])[0])


def test_progress_is_silent_unless_asked_for(
    signs: SequenceDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(signs, tmp_path / "a", epochs=1)
    assert capsys.readouterr() == ("", "")
    train(signs, tmp_path / "b", epochs=1, quiet=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("backend ")
    assert "sequences/s" in printed.err


def test_a_loss_that_is_not_finite_names_its_update_and_loses_nothing(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    with pytest.raises(TrainingDiverged, match=r"update \d+ of epoch \d+") as caught:
        train(
            signs,
            tmp_path,
            Elman("relu"),
            optimizer="sgd",
            learning_rate=1e30,
            clip=0,
            epochs=5,
        )
    assert str(tmp_path) in str(caught.value)
    with warnings.catch_warnings():
        # It may have learned for an epoch before, or not at all.
        warnings.filterwarnings("ignore", "'.*' is untrained", UserWarning)
        tt.load(tmp_path)  # what was saved before is whole


def test_what_it_cannot_do_is_refused_before_anything_is_written(
    signs: SequenceDataset, text: Path, tmp_path: Path
) -> None:
    class Timed(tt.Cell):
        weight = tt.Parameter("hidden", "input")
        gap = tt.Input(1)
        h = tt.State("hidden")

        def step(self, x: object, h: object, gap: object) -> object:
            return self.weight @ x + h * gap

    out = tmp_path / "run"
    with pytest.raises(LooksAhead, match="leave bidirectional out"):
        train(text, out, bidirectional=True)
    with pytest.raises(CellNeedsInput, match="Input 'gap'"):
        train(signs, out, Timed())
    with pytest.raises(SettingError, match="epochs=0"):
        train(signs, out, epochs=0)
    assert not out.exists()


def test_both_directions_of_sequences_are_read(
    signs: SequenceDataset, tmp_path: Path
) -> None:
    run = train(signs, tmp_path, bidirectional=True, epochs=1)
    x = torch.randn(5, 1, 2)
    for step in (0, 4):
        other = x.clone()
        other[step] += 1
        assert not torch.equal(run.model(x)[0], run.model(other)[0])
    assert tt.load(tmp_path)(x)[0].equal(run.model(x)[0])
