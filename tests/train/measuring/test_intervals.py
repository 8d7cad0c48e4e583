"""Confidence intervals cover what they promise, on data whose truth is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from throughtime.data import Question
from throughtime.errors import UnknownChoice
from throughtime.train.measuring.additive import BUILDERS
from throughtime.train.measuring.intervals import Interval, interval
from throughtime.train.measuring.metrics import metrics
from throughtime.train.measuring.predicted import Predicted
from throughtime.train.measuring.resampling import OfBlocks, OfSequences, block_length

PER_SEQUENCE = Question("classify", "sequence")
PER_STEP = Question("classify", "step")
DATA_SETS = 500
SERIES = 250


def right_or_wrong(right: np.ndarray, sequences: np.ndarray) -> Predicted:
    """Answers of two classes of which these are right."""
    outputs = np.stack([right * 0.6 + 0.2, 0.8 - right * 0.6], axis=1)
    zeros = np.zeros(len(right), dtype=np.int64)
    return Predicted(outputs, zeros, sequences, np.arange(len(right)))


def accuracy_interval(predicted: Predicted, question: Question, seed: int) -> Interval:
    found = interval("accuracy", question, predicted, ["no", "yes"], seed=seed)
    assert found is not None
    return found


def autocorrelated(
    draw: np.random.Generator, sets: int, n: int, memory: float
) -> np.ndarray:
    """Standard normal series `(n, sets)`, each step `memory` times the last and new."""
    values = [draw.normal(size=sets)]
    for _ in range(n - 1):
        new = draw.normal(size=sets) * np.sqrt(1 - memory**2)
        values.append(memory * values[-1] + new)
    return np.array(values)


@pytest.mark.parametrize(
    ("sequences", "accuracy"), [(30, 0.7), (50, 0.95), (100, 0.9), (200, 0.6)]
)
def test_the_true_accuracy_is_covered_as_promised(
    sequences: int, accuracy: float
) -> None:
    draw = np.random.default_rng(sequences)
    covered = 0
    for number in range(DATA_SETS):
        right = draw.random(sequences) < accuracy
        answers = right_or_wrong(right, np.arange(sequences))
        low, high, _ = accuracy_interval(answers, PER_SEQUENCE, number)
        covered += low <= accuracy <= high
    assert 0.92 <= covered / DATA_SETS <= 0.98


@pytest.mark.parametrize("sequences", [30, 100])
def test_answers_of_a_sequence_stay_together(sequences: int) -> None:
    draw = np.random.default_rng(sequences)
    covered = 0
    for number in range(DATA_SETS):
        # Some sequences are easy, some hard; on the average 0.8 is right.
        easiness = draw.beta(4, 1, sequences)
        lengths = draw.integers(5, 40, sequences)
        right = draw.random(lengths.sum()) < easiness.repeat(lengths)
        answers = right_or_wrong(right, np.arange(sequences).repeat(lengths))
        low, high, _ = accuracy_interval(answers, PER_STEP, number)
        covered += low <= 0.8 <= high
    assert 0.92 <= covered / DATA_SETS <= 0.98


@pytest.mark.parametrize(
    ("memory", "least"),
    # How far answers depend on one another must be learned from the one series, too:
    # blocks that are a little short cover a little less than they should.
    [(0.0, 0.92), (0.5, 0.90), (0.8, 0.87)],
)
def test_blocks_keep_neighbours_together(memory: float, least: float) -> None:
    steps, accuracy = 400, 0.841344746
    draw = np.random.default_rng(int(10 * memory))
    series = autocorrelated(draw, SERIES, steps, memory) < 1.0
    covered = 0
    for number, right in enumerate(series.T):
        answers = right_or_wrong(right, np.zeros(steps, dtype=np.int64))
        low, high, _ = accuracy_interval(answers, PER_STEP, number)
        covered += low <= accuracy <= high
    assert least <= covered / SERIES <= 0.98


@pytest.mark.parametrize("sequences", [6, 12, 20])
def test_few_sequences_are_resampled_whole(sequences: int) -> None:
    draw = np.random.default_rng(5)
    covered = 0
    for number in range(SERIES):
        easiness = draw.beta(8, 2, sequences)
        lengths = draw.integers(20, 60, sequences)
        right = draw.random(lengths.sum()) < easiness.repeat(lengths)
        answers = right_or_wrong(right, np.arange(sequences).repeat(lengths))
        low, high, method = accuracy_interval(answers, PER_STEP, number)
        covered += low <= 0.8 <= high
    assert 0.90 <= covered / SERIES <= 0.98
    assert method.endswith("; rough, as there are fewer than 30 of them")


def test_the_error_of_few_sequences_is_covered_nearly_as_promised() -> None:
    question, draw, covered = Question("forecast", "step"), np.random.default_rng(6), 0
    for number in range(SERIES):
        scales, lengths = np.sqrt(draw.gamma(4, 0.25, 8)), draw.integers(30, 60, 8)
        errors = (draw.normal(size=lengths.sum()) * scales.repeat(lengths))[:, None]
        of = np.arange(8).repeat(lengths)
        answers = Predicted(errors, 0 * errors, of, np.arange(len(errors)))
        found = interval("rmse", question, answers, ["x"], seed=number)
        assert found is not None
        covered += found.low <= 1 <= found.high
    assert 0.88 <= covered / SERIES <= 0.98


def test_what_an_interval_cannot_say_is_said() -> None:
    steps, right = np.arange(60), np.arange(60) % 3 > 0
    of_two = accuracy_interval(right_or_wrong(right, steps // 30), PER_STEP, 0)
    assert of_two.method.endswith("; rough: 2 sequences say little of others")
    enough = accuracy_interval(right_or_wrong(right, steps // 2), PER_STEP, 0)
    assert "rough" not in enough.method
    # Each positive above each negative: an area of 1 in every resample.
    outputs = np.linspace(0, 1, 60)
    answers = Predicted(
        np.stack([1 - outputs, outputs], axis=1), steps // 30, steps, 0 * steps
    )
    found = interval("auroc", PER_SEQUENCE, answers, ["no", "yes"])
    assert found is not None
    assert found.low == found.high == 1
    assert "; a point, as no resample has an error" in found.method


def test_the_root_mean_square_of_a_series_is_covered() -> None:
    question, steps = Question("forecast", "step"), 228
    draw = np.random.default_rng(3)
    covered = 0
    for number, errors in enumerate(autocorrelated(draw, SERIES, steps, 0.5).T):
        places = np.arange(steps)
        answers = Predicted(errors[:, None], 0 * errors[:, None], 0 * places, places)
        found = interval("rmse", question, answers, ["x"], seed=number)
        assert found is not None
        covered += found.low <= 1 <= found.high
    assert 0.90 <= covered / SERIES <= 0.98


def test_the_area_under_a_curve_is_covered() -> None:
    draw = np.random.default_rng(4)
    covered = 0
    for number in range(DATA_SETS):
        targets = draw.integers(0, 2, 60)
        outputs = 1 / (1 + np.exp(-draw.normal(targets, 1)))
        answers = Predicted(
            np.stack([1 - outputs, outputs], axis=1),
            targets,
            np.arange(60),
            np.zeros(60, dtype=np.int64),
        )
        found = interval("auroc", PER_SEQUENCE, answers, ["no", "yes"], seed=number)
        assert found is not None
        # Φ(1/√2): of two normal numbers, one apart, the larger is the larger.
        covered += found.low <= 0.760249939 <= found.high
    assert 0.92 <= covered / DATA_SETS <= 0.98


def test_an_area_changes_with_its_weights_as_scikit_learns_does() -> None:
    draw = np.random.default_rng(4)
    targets, places = draw.integers(0, 2, 400), np.arange(400)
    outputs = (targets + draw.integers(0, 4, 400)) / 4
    both = np.stack([1 - outputs, outputs], axis=1)
    area = BUILDERS["classes"]["auroc"](Predicted(both, targets, places, places))
    measured = roc_auc_score(targets, outputs)
    assert area.value() == pytest.approx(measured, rel=1e-12)
    for step in (1e-2, 1e-4):
        weights = 1 + step * draw.normal(size=400)
        expected = roc_auc_score(targets, outputs, sample_weight=weights)
        # What is left out is of second order.
        assert abs(area.join(weights @ area.parts) - expected) < step**2


def answers_of(
    task: str, draw: np.random.Generator, n: int
) -> tuple[Question, Predicted]:
    question = Question(task, "step", horizon=2 if task == "forecast" else 1)
    outputs, targets = draw.random((n, 12)), (draw.random((n, 12)) < 0.3).astype(float)
    if task in ("classify", "next"):
        outputs, targets = draw.dirichlet(np.ones(12), n), draw.integers(0, 12, n)
    places = np.arange(n)
    return question, Predicted(outputs, targets, places // 40, places % 40)


@pytest.mark.parametrize(
    "task", ["classify", "multilabel", "next", "regress", "forecast"]
)
@pytest.mark.parametrize("n", [400, 1600])
def test_every_metric_has_an_interval_around_it(task: str, n: int) -> None:
    question, answers = answers_of(task, np.random.default_rng(1), n)
    labels = [str(k) for k in range(6 if task == "forecast" else 12)]
    options = {"training": np.ones(6)} if task == "forecast" else {}
    for metric, value in metrics(question, answers, labels, **options).items():
        found = interval(metric, question, answers, labels, **options)
        assert found is not None
        assert found.low <= value <= found.high, metric
        assert found.low < found.high, metric
        over = f"over {n // 40} sequences"
        assert over in found.method


def test_the_order_of_answers_and_a_second_look_change_nothing() -> None:
    question, answers = answers_of("classify", np.random.default_rng(2), 400)
    labels = [str(k) for k in range(12)]
    order = np.random.default_rng(3).permutation(400)
    shuffled = Predicted(*(array[order] for array in answers))
    for metric in ("accuracy", "auroc_micro", "f1_macro"):
        first, again = (
            interval(metric, question, each, labels) for each in (answers, shuffled)
        )
        assert first == again
        assert first != interval(metric, question, answers, labels, seed=1)


def test_where_all_is_right_not_all_must_be() -> None:
    answers = right_or_wrong(np.ones(30), np.arange(30))
    found = accuracy_interval(answers, PER_SEQUENCE, 0)
    assert 0.85 < found.low < 0.95
    assert found.high == 1


def test_few_sequences_of_one_answer_are_resampled_all_the_same() -> None:
    answers = right_or_wrong(np.arange(6) > 2, np.arange(6))
    found = accuracy_interval(answers, PER_SEQUENCE, 0)
    assert "over 6 sequences" in found.method
    assert found.low < 0.3
    assert found.high > 0.7


def test_one_answer_has_no_interval() -> None:
    answers = right_or_wrong(np.ones(1), np.arange(1))
    assert interval("accuracy", PER_SEQUENCE, answers, ["no", "yes"]) is None


def test_a_metric_of_other_answers_is_refused() -> None:
    answers = right_or_wrong(np.arange(6) > 2, np.arange(6))
    with pytest.raises(UnknownChoice, match="did you mean 'accuracy'"):
        interval("acuracy", PER_SEQUENCE, answers, ["no", "yes"])


def test_block_lengths_grow_with_memory() -> None:
    series = autocorrelated(np.random.default_rng(0), 20, 1000, 0.0).T
    remembering = autocorrelated(np.random.default_rng(0), 20, 1000, 0.9).T
    short = [block_length(one) for one in series]
    long = [block_length(one) for one in remembering]
    assert np.median(short) == 10
    assert np.median(long) > 20
    assert max(long) <= 333
    assert block_length(np.ones(1000)) == 10
    assert block_length(np.ones(1000), 20) == 100
    assert block_length(np.ones(1000), 2) == 333
    assert [block_length(np.arange(n) % 2.0) for n in (1, 2, 3)] == [1, 1, 1]


def test_sums_of_sequences_weigh_their_answers_alike() -> None:
    parts = np.random.default_rng(0).normal(size=(60, 3))
    sums = OfSequences(np.arange(60) // 2).sums(parts, np.random.default_rng(1), 5)
    weights = np.random.default_rng(1).standard_exponential((5, 30)).repeat(2, axis=1)
    assert np.allclose(sums, weights @ parts, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [2, 7, 100])
def test_sums_of_blocks_are_those_of_consecutive_answers(n: int) -> None:
    parts = np.random.default_rng(n).normal(size=(n, 3))
    length = block_length(parts[:, 0])
    sums = OfBlocks(parts[:, 0]).sums(parts, np.random.default_rng(1), 5)
    starts = np.random.default_rng(1).integers(0, n, (5, -(-n // length)))
    places = (starts[..., None] + np.arange(length)) % n
    assert np.allclose(sums, parts[places].sum(axis=(1, 2)), rtol=1e-12, atol=1e-12)
