"""Settings: what suits the data, and refusals that name the argument."""

import numpy as np
import pytest
import torch

from tests.train.conftest import SENTENCE, UNSAID, make_sequences
from tests.train.tables import table
from throughtime.data import Column, Question, text_dataset
from throughtime.errors import DeviceMissing, NumberOutOfRange, SettingError
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings


def test_what_is_not_given_suits_the_data() -> None:
    sequences = settle(make_sequences(), UNSAID)
    text = settle(text_dataset(SENTENCE * 1000, "t"), UNSAID)
    short = settle(text_dataset(SENTENCE * 2, "t"), UNSAID)
    assert (sequences.hidden_size, text.hidden_size) == (128, 256)
    assert (sequences.steps, text.steps) == (None, 32)
    many = settle(make_sequences(3 * 1100), UNSAID)
    assert (sequences.batch_size, many.batch_size) == (2, 64)
    assert (text.batch_size, short.batch_size) == (32, 1)
    assert settle(make_sequences(), {**UNSAID, "hidden_size": 7}).hidden_size == 7
    sgd = settle(make_sequences(), {**UNSAID, "optimizer": "sgd"})
    assert sgd.learning_rate > sequences.learning_rate


def test_answers_per_step_of_long_sequences_are_cut_by_default() -> None:
    series = np.zeros((1000, 1))
    question = Question("forecast", "step", 1, 1)
    parts = {"train": [0, 0, 900, 0], "validation": [0, 0, 950, 900]}
    parts["test"] = [0, 0, 1000, 950]
    splits = {name: np.array([piece]) for name, piece in parts.items()}
    long = table([series], question, [Column("x")], splits=splits)
    settings = settle(long, UNSAID)
    assert (settings.steps, settings.batch_size) == (100, 1)
    assert settle(long, {**UNSAID, "steps": 9}).batch_size == 900 // 9 // 16
    splits["train"] = np.array([[0, 0, 300, 0]])
    short = table([series], question, [Column("x")], splits=splits)
    assert settle(short, UNSAID).steps is None
    assert settle(short, UNSAID).embedding is None
    assert settle(text_dataset(SENTENCE * 2, "t"), UNSAID).embedding == 64


def test_settings_survive_json_and_come_back_to_the_cpu() -> None:
    settings = settle(make_sequences(), UNSAID)
    assert Settings.from_json(settings.to_json()) == settings
    elsewhere = {**settings.to_json(), "device": "cuda:3"}
    assert Settings.from_json(elsewhere) == settings
    older = settings.to_json()
    del older["schedule_options"]
    assert Settings.from_json(older) == settings


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("hidden_size", 0, "hidden_size=0, expected a whole number of at least 1"),
        ("num_layers", 1.5, r"num_layers=1\.5"),
        ("epochs", True, "epochs=True"),
        ("patience", -1, "patience=-1"),
        ("batch_size", 0, "batch_size=0"),
        ("steps", 5, "steps=5, expected none for 'signs'.*leave steps out"),
        ("threads", 0, "threads=0"),
        ("threads", 10**11, "threads=100000000000, .* at most 1024"),
        ("seed", 2**64, "seed=18446744073709551616"),
        ("hidden_size", 2**31, "hidden_size=2147483648"),
        ("num_layers", None, "num_layers=None"),
        ("clip", None, "clip=None, expected a finite number of at least 0"),
        ("clip", 10**400, "clip=1000"),
        ("dtype", [], r"dtype=\[\]"),
        ("device", None, "device=None"),
        ("seed", -1, "seed=-1, expected a whole number of at least 0"),
        ("learning_rate", 0.0, r"learning_rate=0\.0, expected a finite number above 0"),
        ("learning_rate", float("nan"), "learning_rate=nan"),
        ("clip", -0.1, r"clip=-0\.1, expected a finite number of at least 0"),
        ("swa_start", 1, "swa_start=1, expected a number from 0 to below 1"),
        ("ema_decay", 1.0, r"ema_decay=1\.0, expected a number from 0 to below 1"),
        ("optimizer", "adagard", "optimizer='adagard'.*did you mean 'adagrad'"),
        ("schedule", "cosinus", "schedule='cosinus'.*did you mean 'cosine'"),
        ("dtype", "float16", "dtype='float16'.*'float64'"),
        ("device", "tpu", "device='tpu'"),
        ("device", "meta", "device='meta'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(
    argument: str, value: object, words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        settle(make_sequences(), {**UNSAID, argument: value})


def test_steps_of_a_text_are_counted() -> None:
    text = text_dataset(SENTENCE * 2, "t")
    assert settle(text, {**UNSAID, "steps": 9}).steps == 9
    with pytest.raises(NumberOutOfRange, match="steps=0"):
        settle(text, {**UNSAID, "steps": 0})


def test_what_is_no_number_of_steps_is_refused_where_chrono_looks_at_it() -> None:
    question = Question("forecast", "step", 1, 1)
    data = table([np.zeros((50, 1))] * 6, question, [Column("x")])
    with pytest.raises(NumberOutOfRange, match="steps='5'"):
        settle(data, {**UNSAID, "steps": "5", "init": "chrono"})


def test_a_device_goes_by_name_or_as_torchs_own() -> None:
    device = torch.device("cpu")
    assert settle(make_sequences(), {**UNSAID, "device": device}).device == "cpu"


def test_a_clip_of_zero_is_no_limit_and_no_mistake() -> None:
    assert settle(make_sequences(), {**UNSAID, "clip": 0}).clip == 0
    with pytest.raises(NumberOutOfRange):
        settle(make_sequences(), {**UNSAID, "clip": True})


def test_a_missing_gpu_is_said() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(DeviceMissing, match="use device='cpu'"):
        settle(make_sequences(), {**UNSAID, "device": "cuda"})
