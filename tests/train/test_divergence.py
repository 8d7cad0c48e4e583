"""A training that diverges says where the first number was that is not finite."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import throughtime as tt
from tests.train.tables import booleans, numbers, table
from throughtime.data import Column, Question, SequenceDataset
from throughtime.errors import TrainingDiverged
from throughtime.math import exp, mask, sqrt, square, tanh, where
from throughtime.train import fit, open_run
from throughtime.train.files.folder import CHECKPOINT

LENGTHS = [9, 12, 10, 12, 3, 11, 12, 1]
# exp(2⁷) is above all numbers of 32 bits, exp(2⁶) is not.
DOUBLINGS = 7


class Doubling(tt.Cell):
    """Doubles what it has read, and takes its exponential."""

    weight = tt.Parameter("hidden", "input", init=1.0)
    h = tt.State("hidden")
    e = tt.State("hidden")

    def step(self, x: Any, h: Any, e: Any) -> Any:
        e = 2 * e + self.weight @ x
        grown = exp(e)
        h = 0.5 * h + grown
        return h, e


class Divides(tt.Cell):
    """Divides by a count that comes to 0 after so many steps."""

    weight = tt.Parameter("hidden", "input")
    h = tt.State("hidden")
    n = tt.State("hidden")

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, x: Any, h: Any, n: Any) -> Any:
        n = n + 1
        quotient = 1 / (self.steps - n)
        h = tanh(self.weight @ x) + quotient
        return h, n


class Root(tt.Cell):
    """A root whose argument is 0 at one step: the value is finite, its slope not."""

    weight = tt.Parameter("hidden", "input")
    h = tt.State("hidden")
    n = tt.State("hidden")

    def step(self, x: Any, h: Any, n: Any) -> Any:
        n = n + 1
        root = sqrt(square((n - 4) * (1 + square(self.weight @ x))))
        h = 0.5 * tanh(h) + root
        return h, n


class RootOfTwo(tt.Cell):
    """The same where the digits that were read last are a binary 10."""

    weight = tt.Parameter("hidden", "input", init=1.0)
    h = tt.State("hidden")
    n = tt.State("hidden")

    def step(self, x: Any, h: Any, n: Any) -> Any:
        n = 2 * n + self.weight @ x
        root = sqrt(square(n - 2))
        h = 0.5 * tanh(h) + root
        return h, n


class RarelyHuge(tt.Cell):
    """The exponential of 1000 in one step of two hundred; in evaluation, of 5."""

    weight = tt.Parameter("hidden", "input")
    h = tt.State("hidden")

    def step(self, x: Any, h: Any) -> Any:
        drawn = tanh(self.weight @ x + h)
        grown = exp(1000 * mask(0.995, per="step"))
        return drawn + grown


class Exponential(tt.Cell):
    """The exponential of twenty times what it reads."""

    weight = tt.Parameter("hidden", "input", init=1.0)
    h = tt.State("hidden")

    def step(self, x: Any, h: Any) -> Any:
        grown = exp(20 * (self.weight @ x))
        return tanh(h) + grown


class Jumps(tt.Cell):
    """Gives a number of which the square is too large from the fourth step on."""

    weight = tt.Parameter("hidden", "input")
    h = tt.State("hidden")
    n = tt.State("hidden")

    def step(self, x: Any, h: Any, n: Any) -> Any:
        n = n + 1
        h = tanh(self.weight @ x) + where(n > 3, 1e30, 0)
        return h, n


class Spike(tt.Cell):
    """Infinite at a step, and gone at the next."""

    weight = tt.Parameter("hidden", "input", init=1.0)
    h = tt.State("hidden")

    def step(self, x: Any, h: Any) -> Any:
        spike = exp(100 * (self.weight @ x))
        return where(h > 2, 1, spike)


def marked(
    places: Sequence[tuple[int, int]] = (), value: float = 1.0
) -> SequenceDataset:
    """Zeros of several lengths, but a number at some sequences' steps."""
    matrices = [np.zeros((length, 2)) for length in LENGTHS * 2]
    for number, matrix in enumerate(matrices):
        matrix[:, 1] = number % 2
    for sequence, step in places:
        matrices[sequence][step, 0] = value
    feature = numbers("x") if value != 1 else booleans("x")
    question = Question("classify", "sequence")
    return table(matrices, question, feature, [Column("y", "category", ("a", "b"))])


def diverging(cell: tt.Cell, data: Any, out: Path, **options: Any) -> str:
    options = {"hidden_size": 1, "epochs": 2, "batch_size": 8, "clip": 0, **options}
    with pytest.raises(TrainingDiverged) as caught:
        fit(cell, data, out=out / "run", threads=1, **options)
    return str(caught.value)


@pytest.mark.parametrize("backend", ["llvm", "reference"])
def test_a_value_is_named_with_its_sequence_and_step(
    backend: str, tmp_path: Path
) -> None:
    data = marked([(3, 2)])
    found = diverging(Doubling(), data, tmp_path, backend=backend)
    # The state doubles in the steps after the one that is marked.
    where = f"first in layer 0: grown (exp) is inf at step {2 + DOUBLINGS} of "
    assert f"({where}sequence '3')" in found
    assert found.startswith("The loss is nan at update 1 of epoch 1 (")
    assert "mend the equations of the cell, or the data" in found


def test_of_several_sequences_the_first_in_time_is_named(tmp_path: Path) -> None:
    found = diverging(Doubling(), marked([(1, 3), (3, 2), (6, 4)]), tmp_path)
    assert f"at step {2 + DOUBLINGS} of sequence '3')" in found


def test_the_reverse_direction(tmp_path: Path) -> None:
    last = LENGTHS[0] - 1
    found = diverging(Doubling(), marked([(0, last)]), tmp_path, bidirectional=True)
    where = "first in layer 0, reverse direction: grown (exp) is inf at step "
    assert f"{where}{last - DOUBLINGS} of sequence '0'" in found


def test_where_a_penalty_alone_is_not_finite(tmp_path: Path) -> None:
    """Of the last steps, which are answered from, all are finite."""
    data = marked([(3, 2)])
    found = diverging(Spike(), data, tmp_path, activity_l1=0.1)
    where = "first in layer 0: spike (exp) is inf at step 2 of sequence '3'"
    assert found.startswith(f"The loss is inf at update 1 of epoch 1 ({where})")


def test_the_layer_above(tmp_path: Path) -> None:
    # The lower layer reads zeros, and gives 1, 1.5, 1.75, … to the upper one.
    below, state, step = 1.0, 1.0, 0
    while state < np.log(np.finfo(np.float32).max):
        below, step = 0.5 * below + 1, step + 1
        state = 2 * state + below
    found = diverging(Doubling(), marked(), tmp_path, num_layers=2)
    assert f"first in layer 1: grown (exp) is inf at step {step} of " in found
    assert LENGTHS[0] > step


def test_a_state_that_is_carried_through_a_text(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog.\n" * 25)
    found = diverging(Divides(13), text, tmp_path, steps=5, batch_size=2)
    assert found.startswith("The loss is nan at update 3 of epoch 1 (")
    assert "first in layer 0: quotient is inf at character 12 of the text)" in found
    assert "smaller learning_rate" in found


@pytest.mark.parametrize("factor", [None, 0.1])
def test_windows_of_a_stream(factor: float | None, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog.\n" * 25)
    options: dict[str, Any] = {"batch_size": 2, "activity_l1": factor}
    found = diverging(Divides(13), text, tmp_path, tbptt="4:6", **options)
    # The fourth window counts the steps 12 to 15, and runs 10 and 11 again before.
    assert found.startswith("The loss is nan at update 4 of epoch 1 (")
    assert "first in layer 0: quotient is inf at character 12 of the text)" in found


@pytest.mark.parametrize("tbptt", [None, "2:4", "random:3", "auto"])
def test_of_a_stream_a_sequence_is_named_as_of_a_batch(
    tbptt: str | None, tmp_path: Path
) -> None:
    data = marked([(6, 5)], value=1e6)
    data = replace(data, question=Question("classify", "step"))
    found = diverging(Exponential(), data, tmp_path, tbptt=tbptt, batch_size=3)
    assert "grown (exp) is inf at step 5 of sequence '6', where column" in found


@pytest.mark.parametrize("layers", [1, 2])
def test_where_all_values_are_finite_the_error_is_followed(
    layers: int, tmp_path: Path
) -> None:
    found = diverging(Root(), marked([(3, 2)]), tmp_path, num_layers=layers)
    assert found.startswith("The norm of the gradient is nan at update 1 of epoch 1")
    assert "(that of network.weight_l0" in found
    where = f"layer {layers - 1}: that of root (sqrt) at step 3 of sequence "
    assert f"the error that flows back is first not finite in {where}" in found


def test_the_error_of_the_reverse_direction(tmp_path: Path) -> None:
    last = LENGTHS[0] - 1
    found = diverging(RootOfTwo(), marked([(0, last)]), tmp_path, bidirectional=True)
    # In this direction a 0 comes after the 1; in the other the 1 is the last.
    where = "layer 0, reverse direction: that of root (sqrt) at step "
    assert f"{where}{last - 1} of sequence '0')" in found


def test_a_number_of_the_data_that_is_far_out_is_named(tmp_path: Path) -> None:
    found = diverging(Exponential(), marked([(5, 6)], value=1e6), tmp_path)
    assert "grown (exp) is inf at step 6 of sequence '5', where column 'x' is " in found
    assert "standard deviations from its mean)" in found


def test_weights_that_an_update_broke_are_named_and_not_saved(tmp_path: Path) -> None:
    data = marked([(3, 2)])
    cell = tt.cells.GRU()
    found = diverging(cell, data, tmp_path, learning_rate=1e39, batch_size=4)
    assert (
        "the last update has made the weight network.weight_ih_l0 not finite" in found
    )
    assert "smaller learning_rate than 1e+39, or a limit of the gradient" in found
    assert not (tmp_path / "run" / CHECKPOINT).exists()
    found = diverging(
        cell, data, tmp_path / "other", learning_rate=1e39, clip=3, save_every=0
    )
    assert found.startswith("The weight network.weight_ih_l0 is nan at update 1 of")
    assert "or a smaller clip than 3" in found
    assert not (tmp_path / "other/run" / CHECKPOINT).exists()
    # By the last update of all, after which no loss would tell.
    found = diverging(cell, data, tmp_path / "last", learning_rate=1e39, epochs=1)
    assert found.startswith("The weight network.weight_ih_l0 is nan at update 1 of")


def test_a_batch_is_run_again_with_its_masks_and_what_was_good_stays(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    with pytest.raises(TrainingDiverged) as caught:
        fit(
            RarelyHuge(),
            marked(),
            out=out,
            hidden_size=1,
            epochs=40,
            patience=40,
            batch_size=4,
            seed=2,
            save_every=0,
            threads=1,
        )
    # With other masks it would most likely be finite.
    assert "(first in layer 0: grown (exp) is inf at step " in str(caught.value)
    assert caught.value.facts["epoch"] > 1
    assert open_run(out).best_epoch > 0
    state = torch.load(out / CHECKPOINT, weights_only=True)["loop"]
    for weights in (state["model"], state["best"], tt.load(out).state_dict()):
        assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize("per", ["step", "sequence"])
def test_finite_outputs_whose_loss_is_not(per: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    matrices = [draw.normal(size=(5, 2)) for _ in range(8)]
    for number, matrix in enumerate(matrices):
        matrix[:, 1] = number
    data = table(matrices, Question("regress", per), numbers("x"), numbers("y"))
    found = diverging(Jumps(), data, tmp_path, seed=1)
    assert found.startswith("The loss is inf at update 1 of epoch 1 (")
    assert "(first in the loss, with outputs up to " in found
    assert (
        ", for step 3 of sequence '" if per == "step" else ", for sequence '"
    ) in found


def test_a_loss_of_the_newest_steps_of_a_window(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    matrices = [draw.normal(size=(5, 2)) for _ in range(8)]
    data = table(matrices, Question("regress", "step"), numbers("x"), numbers("y"))
    found = diverging(Jumps(), data, tmp_path, tbptt="2:4")
    # The second window counts two steps, and runs the two before them again.
    assert found.startswith("The loss is inf at update 2 of epoch 1 (")
    assert ", for step 3 of sequence '" in found


def test_a_further_input(tmp_path: Path) -> None:
    class Timed(tt.Cell):
        weight = tt.Parameter("hidden", "input")
        gap = tt.Input(1)
        h = tt.State("hidden")

        def step(self, x: Any, h: Any, gap: Any) -> Any:
            waited = exp(200 * gap)
            return tanh(self.weight @ x + h) + waited

    matrices = [np.zeros((length, 3)) for length in LENGTHS * 2]
    for number, matrix in enumerate(matrices):
        matrix[:, 2] = number % 2
    matrices[2][LENGTHS[2] - 1, 1] = 1
    target = [Column("y", "category", ("a", "b"))]
    data = table(
        matrices,
        Question("classify", "sequence"),
        booleans("x"),
        target,
        inputs={"gap": booleans("gap")},
    )
    found = diverging(Timed(), data, tmp_path)
    assert "(first in layer 0: waited (exp) is inf at step 9 of sequence '2')" in found
