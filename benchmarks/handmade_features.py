"""`python -m benchmarks.handmade_features`: features made by hand, or learned.

A recurrent network reads raw sequences; ridge and logistic regression read the mean of
each feature over the steps, or mean and deviation, made by hand and blind to order. On
spoken digits, on scikit-learn's 8×8 digits read pixel by pixel (the first half is
learned from), and with `--vowels JapaneseVowels_TRAIN.ts` on JapaneseVowels, whose test
part lies in the file beside it. Of each data set the network with the least validation
loss is trained with all seeds. What is made by hand learns from validation rows, too.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import train_test_split

import throughtime as tt
from throughtime.cells.built_in import BUILT_IN
from throughtime.data.datasets import SequenceDataset, classified
from throughtime.data.types import Split

SPOKEN, PIXELS, VOWELS = "spoken digits", "8×8 digits, pixel by pixel", "JapaneseVowels"

# Accuracies of others' programs, computed from the definition: of ridge on mean, on
# mean and deviation, and on all pixels at once.
KNOWN: Final[Mapping[str, Mapping[str, float]]] = {
    SPOKEN: {"mean, ridge": 0.713, "mean and deviation, ridge": 0.827},
    PIXELS: {"all values at once, ridge": 0.884},
    VOWELS: {"mean, ridge": 0.873, "mean and deviation, ridge": 0.9757},
}
CHOOSING: Final = 0
"""The seed by which networks are chosen; it is one of those that are reported."""


class Network(NamedTuple):
    """A network that is tried; `dropped`, the share of h that no step reads."""

    cell: str
    dropped: float = 0.0
    hidden_size: int = 128

    def __str__(self) -> str:
        words = f"{self.cell.upper()}, {self.hidden_size} units"
        return f"{words}, {self.dropped:.0%} dropped" if self.dropped else words


CANDIDATES: Final = (
    Network("gru"),
    Network("lstm"),
    Network("gru", dropped=0.25),
)
EPOCHS: Final = {SPOKEN: 30, PIXELS: 80, VOWELS: 60}


class Training(NamedTuple):
    """One training, as it is asked for."""

    data: str
    network: Network
    seed: int
    epochs: int
    vowels: Path | None = None

    def run(self) -> dict[str, float]:
        """Train on one thread; give validation loss and test accuracy."""
        torch.set_num_threads(1)
        share = self.network.dropped
        with tempfile.TemporaryDirectory() as folder:
            run = tt.fit(
                BUILT_IN[self.network.cell],
                load(self.data, self.vowels),
                hidden_size=self.network.hidden_size,
                variational_dropout={"hidden": share} if share else None,
                epochs=self.epochs,
                patience=self.epochs,
                learning_rate=3e-3,
                batch_size=32,
                seed=self.seed,
                threads=1,
                out=Path(folder) / "run",
            )
            return {
                "validation_loss": run.evaluate("validation")["loss"],
                "accuracy": run.evaluate()["accuracy"],
            }


def load(name: str, vowels: Path | None = None) -> SequenceDataset:
    """Give one of the data sets."""
    if name == PIXELS:
        return pixels()
    found = tt.data.load("spoken-digits") if name == SPOKEN else tt.data.read(vowels)
    assert isinstance(found, SequenceDataset)
    return found


def pixels() -> SequenceDataset:
    """Give the 8×8 digits, 64 steps each; a fifth of the first half chooses."""
    images, labels = load_digits(return_X_y=True)
    half = len(images) // 2
    train, validation = train_test_split(
        np.arange(half), test_size=0.2, random_state=0, stratify=labels[:half]
    )
    return classified(
        PIXELS,
        list(images.astype(np.float32)[:, :, None] / 16),
        np.asarray(labels),
        [str(digit) for digit in range(10)],
        {
            "train": np.sort(train),
            "validation": np.sort(validation),
            "test": np.arange(half, len(images)),
        },
    )


def rows(
    dataset: SequenceDataset, splits: Sequence[Split]
) -> tuple[list[Any], list[Any]]:
    """Give the sequences of some parts, and their classes."""
    sequences = [one for split in splits for one in dataset.part(split)]
    (place,) = dataset.schema.places(dataset.schema.targets)
    answers = [one[0, place] for split in splits for one in dataset.read(split)]
    return sequences, answers


def by_hand(dataset: SequenceDataset) -> dict[str, float]:
    """Give the accuracy of each way without a network."""
    train, answers = rows(dataset, ("train", "validation"))
    test, expected = rows(dataset, ("test",))
    found: dict[str, float] = {}
    for words, deviation in (("mean", False), ("mean and deviation", True)):
        for name, model in (
            ("ridge", RidgeClassifier()),
            ("logistic regression", LogisticRegression(max_iter=5000)),
        ):
            summary = tt.baselines.Summary(model, deviation=deviation)
            score = summary.fit(train, answers).score(test, expected)
            found[f"{words}, {name}"] = score
    if len({one.shape for one in [*train, *test]}) == 1:
        flat, asked = (np.stack(part).reshape(len(part), -1) for part in (train, test))
        score = RidgeClassifier().fit(flat, answers).score(asked, expected)
        found["all values at once, ridge"] = float(score)
    return found


def compare(
    names: Sequence[str], seeds: Sequence[int], vowels: Path | None, processes: int
) -> dict[str, Any]:
    """Choose a network for each data set, train it with all seeds, and judge all."""
    choosing = [
        Training(name, network, CHOOSING, EPOCHS[name], vowels)
        for name in names
        for network in CANDIDATES
    ]
    found = trained(choosing, processes)
    chosen = {
        name: min(
            (one for one in choosing if one.data == name),
            key=lambda one: found[one]["validation_loss"],
        )
        for name in names
    }
    more = [one._replace(seed=seed) for one in chosen.values() for seed in seeds]
    found |= trained([one for one in more if one not in found], processes)
    return {
        name: {
            "by hand": by_hand(load(name, vowels)),
            "tried": {
                str(one.network): found[one]["validation_loss"]
                for one in choosing
                if one.data == name
            },
            "network": str(one.network),
            "accuracies": [found[one._replace(seed=s)]["accuracy"] for s in seeds],
        }
        for name, one in chosen.items()
    }


def trained(
    trainings: Sequence[Training], processes: int
) -> dict[Training, dict[str, float]]:
    """Run trainings, so many at a time."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return dict(zip(trainings, pool.map(Training.run, trainings), strict=True))


def table_of(name: str, result: Mapping[str, Any]) -> Table:
    """Lay the accuracies on one data set out in rows."""
    table = Table(title=f"{name}: accuracy on the test part", title_justify="left")
    table.add_column("learns from")
    table.add_column("here", justify="right")
    table.add_column("computed from the definition", justify="right")
    for words, accuracy in result["by hand"].items():
        known = KNOWN[name].get(words)
        table.add_row(words, f"{accuracy:.3f}", f"{known:.3f}" if known else "")
    seeds = np.array(result["accuracies"])
    spread = f"{seeds.mean():.3f} ({seeds.min():.3f} to {seeds.max():.3f})"
    table.add_row(f"raw sequences: {result['network']}, {len(seeds)} seeds", spread, "")
    return table


@click.command(help=__doc__)
@click.option(
    "--vowels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JapaneseVowels_TRAIN.ts; without it that data set is left out.",
)
@click.option("--seeds", default=3, show_default=True, help="Trainings of a network.")
@click.option("--processes", default=1, show_default=True, help="Trainings at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def main(vowels: Path | None, seeds: int, processes: int, as_json: bool) -> None:
    """Measure all, and print a table for each data set."""
    names = [SPOKEN, PIXELS, *([VOWELS] if vowels else [])]
    result = compare(names, range(CHOOSING, CHOOSING + seeds), vowels, processes)
    if as_json:
        click.echo(json.dumps(result))
        return
    console = Console(width=110)
    for name in names:
        console.print(table_of(name, result[name]))
        for network, loss in result[name]["tried"].items():
            console.print(f"validation loss {loss:.3f}: {network}")


if __name__ == "__main__":
    main()
