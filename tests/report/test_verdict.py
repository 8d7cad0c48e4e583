"""The three answers: did it learn, how far does it remember, what to change."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.diagnosed import FINDINGS, diagnosis, memory
from throughtime.report.learning import ended as ended_in_words
from throughtime.report.reading import RunFolder, read_run
from throughtime.report.verdict import judge


@pytest.fixture
def run(trained: Path) -> RunFolder:
    return read_run(trained)


def row(epoch: int, loss: float, accuracy: float = 0.5) -> dict[str, Any]:
    names = {"loss": loss, "accuracy": accuracy}
    after = {f"validation_{name}": value for name, value in names.items()}
    return {"epoch": epoch, **names, **after, "best": True, "seconds": 1.0}


def ended(run: RunFolder, stopped: str | None, result: Any = None) -> dict[str, Any]:
    training = {**run.training, "stopped": stopped, "result": result}
    return {**run.document, "training": training}


def measured(value: float, higher: bool = True, **trivial: float) -> dict[str, Any]:
    test = {"loss": 0.1, "accuracy": value}
    given = {"metric": "accuracy", "higher_is_better": higher}
    return {**given, "test": test, "trivial": trivial}


@pytest.mark.parametrize(
    ("result", "word", "tone"),
    [
        (measured(0.9, majority=0.1, ridge=0.8), "Yes", "good"),
        (measured(0.7, majority=0.1, ridge=0.8), "A little", "note"),
        (measured(0.1, majority=0.1, ridge=0.8), "No", "alarm"),
        (measured(0.8, ridge=0.8), "No", "alarm"),
        (measured(1.0, majority=0.5, ridge=1.0), "Yes", "good"),
        (measured(0.992, majority=0.5, ridge=0.996), "Yes", "good"),
        (measured(0.98, majority=0.5, ridge=1.0), "A little", "note"),
        (measured(0.0, higher=False, mean=1.0, last=0.0), "Yes", "good"),
        (measured(0.3, higher=False, mean=1.0, last=0.5), "Yes", "good"),
        (measured(0.7, higher=False, mean=1.0, last=0.5), "A little", "note"),
        (measured(1.2, higher=False, mean=1.0, last=0.5), "No", "alarm"),
    ],
)
def test_test_data_are_judged_beside_trivial_methods(
    run: RunFolder, result: dict[str, Any], word: str, tone: str
) -> None:
    said = judge(replace(run, document=ended(run, "epochs", result))).learned
    assert (said.word, said.tone) == (word, tone)
    assert "best trivial method" in said.sentence


def test_where_the_order_of_steps_is_not_needed_it_says_so(run: RunFolder) -> None:
    trivial = {"majority": 0.5, "ridge on the mean": 1.0}
    for value, needless in ((1.0, True), (0.9, False)):
        result = {**measured(value), "trivial": trivial}
        said = judge(replace(run, document=ended(run, "epochs", result))).learned
        assert ("no recurrence is needed" in said.sentence) == needless


def test_it_says_how_the_training_ended(run: RunFolder) -> None:
    settings = {**run.document["settings"], "patience": 3}
    early = {**ended(run, "patience"), "settings": settings}
    assert ended_in_words(replace(run, rows=run.rows[:4], document=early)) == (
        "It stopped early, after 4 of 5 epochs: validation grew no better for 3 epochs."
    )


@pytest.mark.parametrize(
    ("losses", "word"),
    [([0.69, 0.3], "Yes"), ([math.log(2)], "No"), ([0.7, 0.68], "No"), ([0.2], "Yes")],
)
def test_before_the_end_classes_are_judged_beside_guessing(
    run: RunFolder, losses: list[float], word: str
) -> None:
    rows = [row(epoch, loss) for epoch, loss in enumerate(losses, 1)]
    said = judge(replace(run, rows=rows, document=ended(run, None))).learned
    assert said.word == word
    assert "guessing among 2 classes" in said.sentence
    assert ended_in_words(replace(run, rows=rows, document=ended(run, None))) == (
        f"It has not ended yet: {len(rows)} of 5 epochs are done."
    )


@pytest.mark.parametrize(
    ("losses", "word"), [([2.0, 1.0], "Yes"), ([2.0, 1.96], "No"), ([2.0], "Too early")]
)
def test_other_tasks_are_judged_beside_their_first_epoch(
    run: RunFolder, losses: list[float], word: str
) -> None:
    rows = [row(epoch, loss) for epoch, loss in enumerate(losses, 1)]
    document = {**ended(run, None), "task": "regress"}
    assert judge(replace(run, rows=rows, document=document)).learned.word.startswith(
        word
    )


def test_nothing_is_claimed_before_the_first_epoch(run: RunFolder) -> None:
    said = judge(replace(run, rows=[])).learned
    assert (said.word, said.tone) == ("Not yet", "unknown")


@pytest.mark.parametrize("rows", [[], [row(1, 0.5)]])
def test_a_training_that_exploded_has_not_learned(
    run: RunFolder, rows: list[dict[str, Any]]
) -> None:
    said = judge(replace(run, rows=rows, document=ended(run, "diverged"))).learned
    assert (said.word, said.tone) == ("No, it diverged", "alarm")


def remembered(run: RunFolder, **parts: Any) -> RunFolder:
    return replace(run, diagnosis={**diagnosis(), "memory": {**memory(), **parts}})


def test_the_memory_is_the_farthest_horizon_beside_the_need(run: RunFolder) -> None:
    said = judge(remembered(run, window=50)).memory
    assert said.word == "28 steps: the window of its training is too short"
    assert said.tone == "alarm"
    assert said.sentence == (
        "It uses 28 steps of history, though its gradient falls below 1 % after 23 "
        "(layer 0, c). Training lets error flow back 50 steps."
    )


def test_all_that_there_is_may_be_used(run: RunFolder) -> None:
    said = judge(remembered(run, verdict="enough", needed=29)).memory
    assert (said.word, said.tone) == ("29 steps: far enough", "good")
    assert said.sentence.startswith("It uses all 29 steps of history, though")


def test_a_network_that_did_not_learn_uses_no_history(run: RunFolder) -> None:
    reason = "it did not learn, so that no history is of use to it"
    said = judge(remembered(run, needed=None, verdict="unknown", reason=reason)).memory
    assert (said.word, said.tone) == ("Cannot be told", "unknown")
    assert said.sentence == (
        "This network uses no history: it did not learn. Its gradient falls below 1 % "
        "23 steps back (layer 0, c)."
    )


def endless(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**layer, "horizon": None} for layer in layers]


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (lambda m: {"verdict": "enough"}, "28 steps: far enough"),
        (
            lambda m: {"verdict": "wasteful"},
            "28 steps: the window of its training is longer than needed",
        ),
        (
            lambda m: {"layers": endless(m["layers"])},
            "28 steps: the window of its training is too short",
        ),
        (lambda m: {"layers": [], "verdict": "unknown"}, "28 steps: not clear"),
        (lambda m: {"needed": None, "verdict": "enough"}, "More than was tried"),
        (
            lambda m: {"needed": None, "curve": [], "reason": "steps are one"},
            "Its gradient reaches 23 steps",
        ),
    ],
)
def test_each_kind_of_memory_has_its_words(
    run: RunFolder, change: Callable[[Any], dict[str, Any]], start: str
) -> None:
    said = judge(remembered(run, **change(memory()))).memory
    assert said.word.startswith(start)
    assert said.sentence.endswith(".")


def test_a_memory_that_was_not_measured_names_the_command(run: RunFolder) -> None:
    for one in (run, replace(run, diagnosis={**diagnosis(), "memory": None})):
        said = judge(one).memory
        assert said.word == "Not measured"
        assert said.remedy is not None
        assert said.remedy.startswith("throughtime diagnose '")  # it has to be quoted


def test_alarms_come_first_and_what_is_good_only_alone(run: RunFolder) -> None:
    found = judge(replace(run, diagnosis=diagnosis())).changes
    tones = [one.tone for one in found if one.word != "Train longer"]
    assert tones == ["alarm", "note"]
    assert found[0].word == "Start from gates that remember (chrono)"
    assert found[0].remedy == "--init chrono"
    learned = measured(0.9, majority=0.1)
    run = replace(run, rows=[row(1, 0.4)], document=ended(run, "epochs", learned))
    only = {**diagnosis(), "findings": FINDINGS[:1]}
    assert [one.word for one in judge(replace(run, diagnosis=only)).changes] == [
        "Nothing"
    ]
    clipped = {**FINDINGS[1], "kind": "clipped", "remedy": None}
    noted = judge(replace(run, diagnosis={**only, "findings": [clipped]})).changes
    assert [one.word for one in noted] == ["Nothing", "Clipped"]
    nothing = judge(replace(run, diagnosis={**diagnosis(), "findings": []})).changes
    assert [one.word for one in nothing] == ["Nothing"]


def test_a_loss_that_still_falls_asks_for_more_epochs(run: RunFolder) -> None:
    falling, flat = [row(1, 0.6), row(2, 0.4)], [row(1, 0.4), row(2, 0.4)]
    remedies = [
        [one.remedy for one in judge(replace(run, rows=rows)).changes]
        for rows in (falling, flat)
    ]
    assert "--epochs 10" in remedies[0]
    assert "--epochs 10" not in remedies[1]


def test_a_weak_result_without_an_alarm_asks_for_more_of_a_network(
    run: RunFolder,
) -> None:
    weak = replace(
        run,
        rows=[row(1, 0.4), row(2, 0.4)],
        document=ended(run, "epochs", measured(0.7, majority=0.1, ridge=0.8)),
        diagnosis={**diagnosis(), "findings": FINDINGS[:1]},
    )
    (said,) = judge(weak).changes
    assert (said.tone, said.remedy) == ("note", "--hidden-size 12")


def test_a_run_that_was_not_diagnosed_says_so(run: RunFolder) -> None:
    last = judge(run).changes[-1]
    assert (last.word, last.tone) == ("Not diagnosed", "unknown")
    assert last.remedy is not None
