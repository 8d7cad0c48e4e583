"""`python -m benchmarks.searching`: scikit-learn looks for settings, on ragged lists.

Spoken digits, 2,400 recordings of 6 to 92 frames to search on, by cross-validation;
the best settings are trained again on all of them and scored once on the 600 of the
card's test part.
"""

import json
import time
from typing import Any

import click
from sklearn.model_selection import GridSearchCV, StratifiedKFold

import throughtime as tt
from throughtime.data.types import FloatArray, Split

GRID: dict[str, list[Any]] = {"hidden_size": [64, 128], "learning_rate": [3e-3, 6e-3]}
FOLDS = 3
DATA = "spoken-digits"


def recordings(*parts: Split) -> tuple[list[FloatArray], list[str]]:
    """Give the frames ``(T_i, 13)`` of some parts, and which digit each is."""
    data = tt.data.load(DATA)
    assert isinstance(data, tt.data.SequenceDataset)
    (place,) = data.schema.places(data.schema.targets)
    features = data.schema.places(data.schema.features)
    names = data.schema.targets[0].categories
    frames = [one for part in parts for one in data.read(part)]
    return [one[:, features] for one in frames], [
        names[int(one[0, place])] for one in frames
    ]


def search(grid: dict[str, list[Any]], epochs: int) -> GridSearchCV:
    """Look for the best settings of a bidirectional GRU on training and validation."""
    estimator = tt.estimators.SequenceClassifier(
        "gru",
        bidirectional=True,
        pool="mean",
        epochs=epochs,
        threads=1,
        random_state=0,
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    # One thread each, in two processes: networks this small only wait for a second.
    found = GridSearchCV(estimator, grid, cv=folds, n_jobs=2, error_score="raise")
    return found.fit(*recordings("train", "validation"))


@click.command()
@click.option("--epochs", default=15, show_default=True, help="Of every training.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def main(epochs: int, as_json: bool) -> None:
    """Search, train the best again, and score it on the test part."""
    started = time.perf_counter()
    found = search(GRID, epochs)
    seconds = time.perf_counter() - started
    score = float(found.score(*recordings("test")))
    table = found.cv_results_
    rows = [
        {**settings, "mean": float(mean), "deviation": float(deviation)}
        for settings, mean, deviation in zip(
            table["params"],
            table["mean_test_score"],
            table["std_test_score"],
            strict=True,
        )
    ]
    if as_json:
        told = {"rows": rows, "best": found.best_params_, "test": score}
        click.echo(json.dumps({**told, "seconds": seconds}))
        return
    for row in rows:
        click.echo(row)
    click.echo(f"best {found.best_params_}, test accuracy {score:.4f}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
