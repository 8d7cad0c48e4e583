"""What is said of answers, to a person and to a machine."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from throughtime.data import Question
from throughtime.errors import BadTarget, CannotWrite, UnknownTableFormat
from throughtime.train.measuring import Predicted, evaluate, metrics
from throughtime.train.measuring.report import Evaluation


def classified(n: int) -> tuple[Question, Predicted]:
    random = np.random.default_rng(0)
    zeros = np.zeros(n, dtype=np.int64)
    outputs = random.dirichlet(np.ones(3), n)
    answers = Predicted(outputs, np.arange(n) % 2, np.arange(n), zeros)
    return Question("classify", "sequence"), answers


def test_the_main_metric_comes_first_with_its_interval() -> None:
    question, predicted = classified(50)
    found = evaluate(question, predicted, list("abc"), title="LSTM on letters")
    assert found.metric == "accuracy"
    assert found.values == metrics(question, predicted, list("abc"))
    assert (found.answers, found.sequences) == (50, 50)
    assert found.interval is not None
    low, high = found.interval.low, found.interval.high
    first, method, *others = found.lines("validation")
    accuracy = found.values["accuracy"]
    expected = f"validation accuracy {accuracy:.4f} ({low:.4f} to {high:.4f})"
    assert first == expected
    assert method == ("  95 % confidence: bootstrap over 50 sequences, 2000 resamples")
    assert f"  f1 macro {found.values['f1_macro']:.4f}" in others
    assert "  auroc macro is not defined: the targets never hold 'c'" in others


def test_a_machine_reads_the_same() -> None:
    question, predicted = classified(50)
    found = evaluate(question, predicted, list("abc"), title="LSTM on letters")
    read = json.loads(json.dumps(found.to_json()))
    assert read["metrics"] == found.values
    assert read["interval"]["low"] == found.interval[0] < found.interval.high
    assert read["not_defined"] == {"auroc_macro": "the targets never hold 'c'"}
    assert found.picture.startswith(b"\x89PNG")


def test_where_the_main_metric_is_not_defined_nothing_else_is_lost() -> None:
    random = np.random.default_rng(0)
    places = np.arange(9)
    silent = Predicted(random.random((9, 2)), np.zeros((9, 2)), places, 0 * places)
    question = Question("multilabel", "sequence")
    found = evaluate(question, silent, ["a", "b"], title="LSTM")
    assert found.interval is None
    assert found.lines()[0] == "test auroc micro is not defined"
    assert "exact_match" in found.values


def test_one_answer_has_no_interval_but_a_value() -> None:
    question, predicted = classified(1)
    found = evaluate(question, predicted, list("abc"), title="LSTM")
    assert found.lines()[0] == "test accuracy 0.0000"


def text() -> Evaluation:
    random, places = np.random.default_rng(0), np.arange(200)
    outputs = random.dirichlet(np.ones(4), 200)
    predicted = Predicted(outputs, places % 4, 0 * places, places)
    question = Question("next", "step")
    return evaluate(question, predicted, list("abcd"), title="GRU", symbol="character")


def test_a_symbol_of_a_text_is_a_character() -> None:
    found = text()
    assert found.metric == "bits_per_character"
    assert set(found.values) == {"bits_per_character", "perplexity", "accuracy"}
    assert "moving blocks" in found.lines()[1]


def test_the_same_seed_says_the_same() -> None:
    assert text() == text()


def test_large_and_small_numbers_keep_their_digits() -> None:
    places = np.arange(40)
    random = np.random.default_rng(0)
    for size in (1e6, 1e-6):
        outputs, targets = size * random.normal(size=(2, 40, 1))
        predicted = Predicted(outputs, targets, places, 0 * places)
        found = evaluate(Question("regress", "sequence"), predicted, ["x"], title="x")
        written = float(found.lines()[0].split()[2])
        assert written == pytest.approx(found.values["rmse"], rel=1e-4)


def test_broken_answers_are_refused() -> None:
    question, predicted = classified(5)
    broken = predicted._replace(outputs=np.full((5, 3), np.nan))
    with pytest.raises(BadTarget, match="not finite"):
        evaluate(question, broken, list("abc"), title="LSTM")


def test_a_target_among_several_is_named() -> None:
    question, predicted = classified(50)
    found = evaluate(question, predicted, list("abc"), title="LSTM", target="mood")
    assert found.lines()[0].startswith("test, target mood: accuracy 0.")
    assert found.to_json()["target"] == "mood"
    alone = evaluate(question, predicted, list("abc"), title="LSTM")
    assert "target" not in alone.to_json()


def test_a_picture_is_saved_and_shown(tmp_path: Path) -> None:
    question, predicted = classified(50)
    found = evaluate(question, predicted, list("abc"), title="LSTM")
    found.save(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes() == found.picture
    with pytest.raises(UnknownTableFormat, match=r"'picture.jpg'"):
        found.save("picture.jpg")
    with pytest.raises(CannotWrite):
        found.save(tmp_path / "nowhere" / "picture.png")
    plt.close("all")
    found.show()
    shown = plt.gcf()
    height, width = plt.imread(tmp_path / "picture.png").shape[:2]
    np.testing.assert_allclose(shown.get_size_inches() * 150, (width, height))
    assert len(shown.images) == 1
    plt.close("all")
