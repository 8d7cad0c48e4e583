"""Text drawn from a model."""

from pathlib import Path

import pytest
import torch

from tests.train.conftest import SENTENCE, make_sequences
from throughtime.cells import GRU, Elman
from throughtime.data import UNKNOWN
from throughtime.errors import DrawsNoSymbols, NumberOutOfRange, UnknownPrompt
from throughtime.train import Run, fit, sample


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text(SENTENCE * 25)
    return fit(
        GRU(),
        folder / "text.txt",
        hidden_size=48,
        epochs=25,
        learning_rate=0.02,
        batch_size=4,
        steps=20,
        threads=1,
        out=folder / "run",
    )


def draw(run: Run, length: int = 90, **options: object) -> str:
    return "".join(sample(run, length, **options))


def test_a_text_known_by_heart_is_recited(run: Run) -> None:
    assert draw(run, temperature=0) == SENTENCE * 2
    assert draw(run, 20, temperature=0, prompt="the qui") == SENTENCE[7:27]


def test_the_seed_decides(run: Run) -> None:
    assert draw(run, seed=1, temperature=3) == draw(run, seed=1, temperature=3)
    assert draw(run, seed=1, temperature=3) != draw(run, seed=2, temperature=3)


def test_temperature_moves_between_reciting_and_noise(run: Run) -> None:
    assert draw(run, temperature=1e-300) == draw(run, temperature=0)
    wild = draw(run, 400, temperature=1e9)
    assert set(wild) <= set(SENTENCE)
    assert len(set(wild)) == len(set(SENTENCE))
    assert UNKNOWN not in wild


def test_drawn_symbols_have_the_models_probabilities(run: Run) -> None:
    # The first symbol after the prompt, against the model's own answer.
    symbols = torch.tensor([run.model.labels.index("\n")])[:, None, None]
    chances = run.model(symbols)[0][-1, 0]
    drawn = [draw(run, 1, seed=seed, temperature=1.0) for seed in range(200)]
    for place, label in enumerate(run.model.labels[1:], 1):
        share = drawn.count(label) / 200
        assert share == pytest.approx(chances[place].item(), abs=0.11)


def test_what_cannot_be_drawn_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(NumberOutOfRange, match="length=0"):
        sample(run, 0)
    for temperature in (-1.0, float("nan"), float("inf")):
        with pytest.raises(NumberOutOfRange, match="temperature"):
            sample(run, temperature=temperature)
    with pytest.raises(UnknownPrompt, match="'Z', 'é'"):
        sample(run, prompt="éZ the")
    classes = fit(
        Elman(), make_sequences(), hidden_size=2, epochs=1, out=tmp_path, threads=1
    )
    with pytest.raises(DrawsNoSymbols, match="'classify'"):
        sample(classes)
